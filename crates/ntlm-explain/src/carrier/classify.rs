//! Which protocol a flow speaks, by the first bytes of either side. Cheap, and nothing depends on
//! it but names and outcomes: what is told wrongly is searched all the same.

use super::http::{self, Http};
use super::ldap::{self, Ldap};
use super::mail::{self, Mail};
use super::protocol::Protocol;
use super::rpc::{self, Rpc};
use super::smb::{self, Smb};
use super::tls::{self, Tls};
use ntlm_capture::Direction;

/// The protocol that begins with these bytes, if it is one that we read.
pub(super) fn classify(direction: Direction, bytes: &[u8]) -> Option<Box<dyn Protocol>> {
    if smb::is_packet(bytes) {
        Some(Box::new(Smb::default()))
    } else if tls::is_record(bytes) {
        Some(Box::new(Tls))
    } else if http::is_head(direction, bytes) {
        Some(Box::new(Http::default()))
    } else if rpc::is_pdu(bytes) {
        Some(Box::new(Rpc::default()))
    } else if ldap::is_message(bytes) {
        Some(Box::new(Ldap::default()))
    } else if mail::is_greeting(direction, bytes) {
        Some(Box::new(Mail::default()))
    } else {
        None
    }
}
