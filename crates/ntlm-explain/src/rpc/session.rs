//! One security context of NTLM on one association (MS-RPCE 3.3.1.5.2).

use super::{Ended, RpcExplained, auth_type_text, level_text};
use crate::alive::Alive;
use crate::inspect;
use crate::tally::{Checked, Tally, Unchecked};
use ntlm::keys::{Direction, KeySchedule};
use ntlm::{Role, Session as NtlmSession, SessionError};
use ntlm_netlogon::pdu::Header;
use ntlm_netlogon::protect::{NtlmProtection, ProtectError, SecurityContext, Service};
use std::sync::Arc;

/// A security context, from the first token of its logon on.
#[derive(Debug)]
pub(super) struct Session {
    /// The exchange that began it. `None` as long as that is not over.
    pub(super) ticket: Option<u64>,
    context: SecurityContext,
    keyed: Option<Box<Keyed>>,
    /// Where a key stream stands is not known any more, by direction of its sender.
    lost: [bool; 2],
    unsealed: u64,
    /// Messages that do not hold while nothing behind them does: their frames and what they are.
    /// Where both directions share a key stream, a loss in one may show late.
    suspects: Vec<(u64, String)>,
    tally: Tally,
}

#[derive(Debug)]
struct Keyed {
    protection: NtlmProtection,
    /// Without extended session security both directions have one key stream.
    is_shared: bool,
    /// Counts the sessions that have keys.
    _alive: Arc<()>,
}

/// More than this are not suspected but counted.
const MOST_SUSPECTS: usize = 64;

impl Session {
    /// One of which a verifier was seen.
    pub(super) fn new(context: SecurityContext) -> Self {
        Self {
            ticket: None,
            context,
            keyed: None,
            lost: [false; 2],
            unsealed: 0,
            suspects: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// The client proved itself, and these are the keys.
    pub(super) fn take(&mut self, keys: KeySchedule, alive: &Alive) {
        let Some(alive) = alive.token() else { return };
        let is_shared = !keys
            .negotiate_flags()
            .contains(ntlm::flags::NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let mut session = NtlmSession::new(keys, Role::Server);
        // What was sealed all the same opens.
        session.allow_sealing_without_seal();
        let protection = NtlmProtection::new(session, self.context).ok();
        let keyed = |protection| Box::new(Keyed { protection, is_shared, _alive: alive });
        self.keyed = protection.map(keyed);
    }

    /// Whether another begins in its place: it was told of, or another logon was proved.
    pub(super) const fn is_over(&self, is_proved_again: bool) -> bool {
        is_proved_again && self.keyed.is_some()
    }

    /// SPNEGO's mechListMIC went by.
    pub(super) fn mech_list_mic(&mut self, direction: Direction) {
        if let Some(keyed) = &mut self.keyed {
            keyed.protection.skip_number(direction);
        }
    }

    /// Fragments of this direction may be missing.
    pub(super) fn gap(&mut self, direction: Direction) {
        let is_shared = self.keyed.as_ref().is_some_and(|keyed| keyed.is_shared);
        for (lost, of) in self.lost.iter_mut().zip(Direction::ALL) {
            *lost |= is_shared || of == direction;
        }
        // They may have been behind the loss already.
        self.acquit();
    }

    /// A request, response or fault, which is unsealed in place. Whether its stub can be read.
    pub(super) fn fragment(
        &mut self,
        direction: Direction,
        bytes: &mut [u8],
        is_whole: bool,
        frame: u64,
    ) -> bool {
        let has_verifier = Header::decode(bytes).is_ok_and(|header| header.auth_length > 0);
        let service = Service::of(self.context.auth_level);
        if service == Some(Service::Nothing) {
            self.tally.count(Checked::Unsigned, frame);
            return true;
        }
        if !has_verifier {
            let text = format!("{} has no verifier", inspect::fragment_name(bytes));
            self.tally.count(Checked::Invalid(text), frame);
            // Its sender may have signed it.
            self.gap(direction);
            return false;
        }
        let is_clear = service != Some(Service::Sealed);
        let [from_client, from_server] = &mut self.lost;
        let lost = match direction {
            Direction::ClientToServer => from_client,
            Direction::ServerToClient => from_server,
        };
        let unchecked = match &self.keyed {
            None => Some(Unchecked::NoKey),
            Some(_) if !is_whole => {
                *lost = true;
                Some(Unchecked::NotWhole)
            }
            Some(_) if *lost => Some(Unchecked::KeyStream),
            Some(_) => None,
        };
        if let Some(why) = unchecked {
            self.tally.count(Checked::Unchecked(why), frame);
            return is_clear;
        }
        let Some(keyed) = &mut self.keyed else { return is_clear };
        let opened = keyed.protection.observe(direction, bytes);
        match opened {
            Ok(()) => {
                self.unsealed += u64::from(!is_clear);
                self.confirm();
                self.tally.count(Checked::Valid, frame);
                true
            }
            Err(error) => {
                let is_suspect = keyed.is_shared && self.suspects.len() < MOST_SUSPECTS;
                if !matches!(error, ProtectError::Ntlm(_)) {
                    *lost = true;
                }
                let message = describe(bytes, direction, keyed.is_shared, &error);
                if is_suspect {
                    self.suspects.push((frame, message));
                } else {
                    self.tally.count(Checked::Invalid(message), frame);
                }
                is_clear
            }
        }
    }

    /// The key stream is where it should be, so what did not hold before is wrong.
    fn confirm(&mut self) {
        for (frame, message) in std::mem::take(&mut self.suspects) {
            self.tally.count(Checked::Invalid(message), frame);
        }
    }

    /// The key stream may be elsewhere, so what did not hold was not checked.
    fn acquit(&mut self) {
        for (frame, _) in std::mem::take(&mut self.suspects) {
            self.tally.count(Checked::Unchecked(Unchecked::KeyStream), frame);
        }
    }

    /// What it came to, if its exchange is known. `gap` is the first frame before which fragments may
    /// be missing.
    pub(super) fn end(mut self, gap: Option<u64>, is_cut_off: bool) -> Option<Ended> {
        if gap.is_some() || is_cut_off {
            self.acquit();
        }
        self.confirm();
        let rpc = RpcExplained {
            auth_type: auth_type_text(self.context.auth_type),
            level: level_text(self.context.auth_level),
            signatures: self.tally.signatures,
            unsealed: self.unsealed,
            unchecked: self.tally.whys(),
            failures: self.tally.failures,
            gap,
            is_cut_off,
        };
        Some(Ended { ticket: self.ticket?, rpc })
    }
}

fn describe(bytes: &[u8], direction: Direction, is_shared: bool, error: &ProtectError) -> String {
    let name = inspect::fragment_name(bytes);
    match error {
        ProtectError::Ntlm(SessionError::MessageAltered) => {
            let keys = match direction {
                // Without extended session security one key serves both directions.
                _ if is_shared => "SealingKey",
                Direction::ClientToServer => "ClientSigningKey and ClientSealingKey",
                Direction::ServerToClient => "ServerSigningKey and ServerSealingKey",
            };
            format!("the signature of {name} does not hold under {keys}")
        }
        error => format!("the signature of {name} does not hold: {error}"),
    }
}
