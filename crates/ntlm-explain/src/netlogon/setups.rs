//! What members and domain controllers said to set channels up, for a whole capture
//! (MS-NRPC 3.1.4.1, 3.5.4.4).
//!
//! A server keeps challenges and session keys by the client's computer name, and so do we, by server
//! and computer name: the association that the key protects is mostly another one. Connections that
//! lost their beginning are told late, so it is the frames that show what was the latest.

use super::calls::Heard;
use ntlm::text::Utf16String;
use ntlm_netlogon::calls::{Authenticate3Request, Authenticate3Response, SecureChannelType};
use ntlm_netlogon::{NtStatus, flags::NegotiateFlags};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// The latest setups.
#[derive(Debug, Default)]
pub(crate) struct Setups {
    known: BTreeMap<Name, Known>,
    order: VecDeque<Name>,
}

/// The server, and the client's computer name in upper case.
type Name = (IpAddr, Utf16String);

#[derive(Debug, Default)]
struct Known {
    /// From NetrServerReqChallenge.
    challenges: VecDeque<Challenges>,
    /// From NetrServerAuthenticate3, where it succeeded.
    setups: VecDeque<Arc<Setup>>,
}

/// More of one computer than this are not remembered.
const MOST_OF_ONE: usize = 16;

/// Both challenges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenges {
    pub(super) client: [u8; 8],
    pub(super) server: [u8; 8],
    /// The frames of request and response.
    pub(super) frames: [u64; 2],
}

/// A channel that was set up.
#[derive(Debug)]
pub(super) struct Setup {
    /// One of these, the latest first: connections may set channels up at the same time.
    pub(super) challenges: Vec<Challenges>,
    pub(super) account_name: Utf16String,
    pub(super) secure_channel_type: SecureChannelType,
    pub(super) client_credential: [u8; 8],
    pub(super) server_credential: [u8; 8],
    /// What both ends can do.
    pub(super) negotiate_flags: NegotiateFlags,
    /// The frames of request and response of NetrServerAuthenticate3.
    pub(super) frames: [u64; 2],
}

impl Setups {
    /// More than this, and the oldest are forgotten.
    const MOST: usize = 4096;

    /// The latest setup of a computer with a server before a frame. Names have no case.
    pub(super) fn get(
        &self,
        server: IpAddr,
        computer: &Utf16String,
        before: u64,
    ) -> Option<Arc<Setup>> {
        let setups = &self.known.get(&(server, computer.to_uppercase()))?.setups;
        let earlier = setups.iter().filter(|setup| setup.frames < [before; 2]);
        earlier.max_by_key(|setup| setup.frames).cloned()
    }

    fn entry(&mut self, server: IpAddr, computer: &Utf16String) -> &mut Known {
        let name = (server, computer.to_uppercase());
        if !self.known.contains_key(&name) {
            while self.order.len() >= Self::MOST {
                self.order.pop_front().map(|oldest| self.known.remove(&oldest));
            }
            self.order.push_back(name.clone());
        }
        self.known.entry(name).or_default()
    }

    fn authenticated(
        &mut self,
        server: IpAddr,
        request: Authenticate3Request,
        response: Authenticate3Response,
        frames: [u64; 2],
    ) {
        let known = self.entry(server, &request.computer_name);
        if response.status != NtStatus::SUCCESS {
            return;
        }
        let earlier = known.challenges.iter().filter(|challenges| challenges.frames < frames);
        let mut challenges: Vec<Challenges> = earlier.copied().collect();
        challenges.sort_by_key(|challenges| Reverse(challenges.frames));
        let setup = Arc::new(Setup {
            challenges,
            account_name: request.account_name,
            secure_channel_type: request.secure_channel_type,
            client_credential: request.client_credential,
            server_credential: response.server_credential,
            negotiate_flags: response.negotiate_flags,
            frames,
        });
        push(&mut known.setups, setup);
    }
}

fn push<T>(latest: &mut VecDeque<T>, next: T) {
    if latest.len() >= MOST_OF_ONE {
        latest.pop_front();
    }
    latest.push_back(next);
}

/// Takes note of a call that sets a channel up.
pub(crate) fn hear_setup(setups: &mut Setups, server: IpAddr, heard: Heard) {
    match heard {
        Heard::Challenge { request, response, frames } if response.status == NtStatus::SUCCESS => {
            let (client, server_challenge) = (request.client_challenge, response.server_challenge);
            let known = setups.entry(server, &request.computer_name);
            push(&mut known.challenges, Challenges { client, server: server_challenge, frames });
        }
        Heard::Authenticate { request, response, frames } => {
            setups.authenticated(server, request, response, frames);
        }
        _ => {}
    }
}
