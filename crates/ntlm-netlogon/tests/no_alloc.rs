//! Nothing is allocated for a fragment: not to read, sign, verify, seal or unseal it.
#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is how a test fails")]

use allocation_counter::measure;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{Direction, SealingKey, SigningKey};
use ntlm::{DirectionalKeys, Role, Session};
use ntlm_netlogon::keys::{Algorithms, SessionKey};
use ntlm_netlogon::pdu::{AuthLevel, AuthType, AuthVerifier, Body, Pdu, PfcFlags, Request};
use ntlm_netlogon::protect::{Coverage, NetlogonProtection, NtlmProtection, SecurityContext};
use std::hint::black_box;

fn allocations(mut work: impl FnMut()) -> u64 {
    measure(&mut work).count_total
}

const LEVELS: [AuthLevel; 2] = [AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY];
const SIZES: [usize; 3] = [16, 4096, 60_000];

fn fragment(context: SecurityContext, size: usize, auth_length: usize) -> Vec<u8> {
    let (stub, token) = (vec![0x5a; size], vec![0; auth_length]);
    let request = Request { alloc_hint: 0, context_id: 0, opnum: 1, object: None, stub: &stub };
    let verifier = AuthVerifier {
        auth_pad: &[],
        auth_type: context.auth_type,
        auth_level: context.auth_level,
        auth_context_id: context.auth_context_id,
        auth_value: &token,
    };
    let pdu = Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE,
        call_id: 1,
        body: Body::Request(request),
        verifier: Some(verifier),
    };
    pdu.encode().unwrap()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(vec![0_u8; 100]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn netlogon_does_not_allocate() {
    let direction = Direction::ClientToServer;
    for algorithms in [Algorithms::AesSha2, Algorithms::InsecureRc4Md5] {
        for auth_level in LEVELS {
            let end = || {
                let key = SessionKey::new([7; 16]);
                NetlogonProtection::new(algorithms, &key, auth_level, 1, Coverage::Whole).unwrap()
            };
            let (mut client, mut server) = (end(), end());
            let auth_type = AuthType::NETLOGON;
            let context = SecurityContext { auth_type, auth_level, auth_context_id: 1 };
            for size in SIZES {
                let mut fragment = fragment(context, size, client.auth_length());
                let count = allocations(|| {
                    client.protect(direction, &mut fragment, [1; 8]).unwrap();
                    server.open(direction, &mut fragment).unwrap();
                    black_box(Pdu::decode(&fragment).unwrap());
                });
                assert_eq!(count, 0, "{algorithms:?} {auth_level:?} {size}");
            }
        }
    }
}

#[test]
fn ntlm_does_not_allocate() {
    let flags = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
        | NegotiateFlags::NEGOTIATE_KEY_EXCH
        | NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_SEAL;
    for auth_level in LEVELS {
        let auth_type = AuthType::WINNT;
        let context = SecurityContext { auth_type, auth_level, auth_context_id: 1 };
        let keys = || DirectionalKeys {
            signing_key: Some(SigningKey::new([1; 16])),
            sealing_key: SealingKey::new([2; 16]),
        };
        let end = |role| {
            let session = Session::from_directional_keys(keys(), keys(), flags, role);
            NtlmProtection::new(session, context).unwrap()
        };
        let (mut client, mut server) = (end(Role::Client), end(Role::Server));
        for size in SIZES {
            let mut fragment = fragment(context, size, NtlmProtection::AUTH_LENGTH);
            let count = allocations(|| {
                client.protect(&mut fragment).unwrap();
                server.open(&mut fragment).unwrap();
                black_box(Pdu::decode(&fragment).unwrap());
            });
            assert_eq!(count, 0, "{auth_level:?} {size}");
        }
    }
}
