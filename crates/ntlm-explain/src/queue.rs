//! Exchanges in the order of their logons, although what SMB makes of one is known only when its
//! session is over.

use crate::explained::Explained;
use crate::finding::{Finding, FindingCode};
use crate::inspect;
use crate::rpc;
use crate::smb::Ended;
use std::collections::BTreeMap;

/// Exchanges that wait for their sessions to end, and those behind them.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    explained: Box<Explained>,
    is_ready: bool,
}

impl Queue {
    /// More than this do not wait: what is ready then goes before its turn, and if that is not
    /// enough, the oldest session is followed no further.
    pub(crate) const MOST: usize = 1024;

    /// One that is whole.
    pub(crate) fn ready(&mut self, explained: Explained) {
        self.push(explained, true);
    }

    /// One whose session has begun.
    pub(crate) fn wait(&mut self, explained: Explained) {
        self.push(explained, false);
    }

    /// A session is over.
    pub(crate) fn finish(&mut self, ended: Ended) {
        if let Some(waiting) = self.waiting.get_mut(&ended.ticket) {
            inspect::smb(&ended.smb, &mut waiting.explained.findings);
            waiting.explained.smb = Some(Box::new(ended.smb));
            waiting.is_ready = true;
        }
    }

    /// A security context of DCE/RPC is over.
    pub(crate) fn finish_rpc(&mut self, ended: rpc::Ended) {
        if let Some(waiting) = self.waiting.get_mut(&ended.ticket) {
            inspect::rpc(&ended.rpc, &mut waiting.explained.findings);
            waiting.explained.rpc = Some(Box::new(ended.rpc));
            waiting.is_ready = true;
        }
    }

    /// Hands out what is at its turn.
    pub(crate) fn drain(&mut self, mut done: impl FnMut(Explained)) {
        while let Some(first) = self.waiting.first_entry() {
            if !first.get().is_ready {
                break;
            }
            done(*first.remove().explained);
        }
        if self.waiting.len() <= Self::MOST {
            return;
        }
        for (_, ready) in self.waiting.extract_if(.., |_, waiting| waiting.is_ready) {
            done(*ready.explained);
        }
        while self.waiting.len() > Self::MOST {
            let Some((_, mut oldest)) = self.waiting.pop_first() else { break };
            let text = format!("more than {} sessions at once", Self::MOST);
            let code = match oldest.explained.carrier {
                "rpc" => FindingCode::RpcNotFollowed,
                _ => FindingCode::SmbNotFollowed,
            };
            oldest.explained.findings.push(Finding::new(code, text));
            done(*oldest.explained);
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, mut done: impl FnMut(Explained)) {
        while let Some((_, waiting)) = self.waiting.pop_first() {
            done(*waiting.explained);
        }
    }

    fn push(&mut self, explained: Explained, is_ready: bool) {
        let explained = Box::new(explained);
        self.waiting.insert(explained.id, Waiting { explained, is_ready });
    }
}
