//! `mechListMIC`: NTLM's signature over the initiator's mechTypes (RFC 4178 5, MS-SPNG 3.1.5.1).
//!
//! It is the ordinary next signature of its direction, so sequence numbers go on from it; but the
//! RC4 streams are set back to where they were (MS-SPNG 3.2.5.1, 3.3.5.1).

use crate::error::PeerError;
use crate::mech_type_list::MechTypeList;
use ntlm::Session;

/// What protects the choice of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MechListMic {
    /// The other end's mechListMIC holds: both saw the same list.
    Valid,
    /// None came, or one that proves nothing because signing was not negotiated; and none is due:
    /// NTLM was the initiator's first choice.
    Absent,
    /// There was no list: raw NTLM.
    NoList,
}

/// When it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Always: NTLM was not the first choice, or somebody asked for it.
    Always,
    /// Where AUTHENTICATE has a MIC and messages can be signed, as Windows and Samba have it.
    WithMessageMic,
}

impl Due {
    /// Whether it has to come; an error where it has to and cannot.
    pub(crate) fn required(self, session: &Session, has_mic: bool) -> Result<bool, PeerError> {
        let protects = session.negotiate_flags().protects();
        match self {
            Self::Always if !protects => Err(PeerError::NoIntegrity),
            Self::Always => Ok(true),
            Self::WithMessageMic => Ok(has_mic && protects),
        }
    }
}

/// What a mechListMIC that holds comes to: without SIGN and SEAL every signature is the same 16 bytes
/// (MS-NLMP 3.4.4.3), and pyspnego sends them.
pub(crate) const fn proved(session: &Session) -> MechListMic {
    if session.negotiate_flags().protects() { MechListMic::Valid } else { MechListMic::Absent }
}

/// Signs the list.
pub(crate) fn make(session: &mut Session, list: &MechTypeList<'_>) -> Result<[u8; 16], PeerError> {
    with_rc4_set_back(session, |session| session.sign(list.as_bytes()))
}

/// Verifies the other end's signature.
pub(crate) fn check(
    session: &mut Session,
    list: &MechTypeList<'_>,
    mech_list_mic: &[u8],
) -> Result<(), PeerError> {
    with_rc4_set_back(session, |session| session.verify(list.as_bytes(), mech_list_mic))
}

fn with_rc4_set_back<T>(
    session: &mut Session,
    operation: impl FnOnce(&mut Session) -> Result<T, ntlm::SessionError>,
) -> Result<T, PeerError> {
    let rc4 = session.save_rc4();
    let result = operation(session);
    session.restore_rc4(rc4);
    result.map_err(PeerError::MechListMic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::{all, unhex};
    use crate::token::{NegTokenInit, NegTokenResp};
    use ntlm::flags::NegotiateFlags;
    use ntlm::keys::{SealingKey, SigningKey};
    use ntlm::{DirectionalKeys, Role, SessionError};
    use serde_json::Value;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn session(input: &Value, role: Role) -> Session {
        let key = |name: &str| unhex(&input[name]).try_into().unwrap();
        let keys = |signing, sealing| DirectionalKeys {
            signing_key: Some(SigningKey::new(key(signing))),
            sealing_key: SealingKey::new(key(sealing)),
        };
        let flags = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
            | NegotiateFlags::NEGOTIATE_KEY_EXCH
            | NegotiateFlags::NEGOTIATE_128
            | NegotiateFlags::NEGOTIATE_SIGN
            | NegotiateFlags::NEGOTIATE_SEAL;
        let client = keys("client_signing_key", "client_sealing_key");
        let server = keys("server_signing_key", "server_sealing_key");
        Session::from_directional_keys(client, server, flags, role)
    }

    /// The mechListMICs of every recorded exchange, made and checked at either end.
    #[test]
    fn recorded_mech_list_mics_are_ours() {
        let mut passed = BTreeSet::new();
        for vector in all() {
            let (input, expected) = (&vector["input"], &vector["expected"]);
            if vector["category"] != "mechlistmic" && vector["category"] != "spnego-exchange" {
                continue;
            }
            let name = vector["id"].as_str().unwrap();
            let list = unhex(&input["mech_types_der"]);
            let list = MechTypeList::read(ntlm::der::Der::new(&list).element().unwrap()).unwrap();
            let field = |names: [&str; 2]| {
                names.into_iter().map(|name| unhex(&expected[name])).find(|mic| !mic.is_empty())
            };
            let client_mic =
                field(["client_mech_list_mic", "correct_client_mech_list_mic"]).unwrap();
            let server_mic = field(["server_mech_list_mic", "server_mech_list_mic"]);

            let mut client = session(input, Role::Client);
            assert_eq!(make(&mut client, &list).unwrap().as_slice(), client_mic, "{name}");
            if let Some(server_mic) = &server_mic {
                check(&mut client, &list, server_mic).unwrap();
                let mut server = session(input, Role::Server);
                check(&mut server, &list, &client_mic).unwrap();
                assert_eq!(make(&mut server, &list).unwrap().as_slice(), server_mic, "{name}");
            }

            let tokens = input["tokens"].as_object();
            let sent = tokens.map(|tokens| {
                let init = unhex(&tokens["client_1"]);
                assert_eq!(NegTokenInit::decode(&init).unwrap().mech_types, list, "{name}");
                let last = unhex(tokens.get("client_4").unwrap_or(&tokens["client_3"]));
                NegTokenResp::decode(&last).unwrap().mech_list_mic.unwrap().to_vec()
            });
            if let Some(sent) = sent {
                let refused = check(&mut session(input, Role::Server), &list, &sent).err();
                let altered = PeerError::MechListMic(SessionError::MessageAltered);
                let expected = (name == "capture-spnego-bad-mic").then_some(altered);
                assert_eq!(refused, expected, "{name}");
            }
            passed.insert(std::string::String::from(name));
        }
        let names: Vec<_> = passed.iter().map(std::string::String::as_str).collect();
        let expected = [
            "capture-spnego-bad-mic",
            "capture-spnego-krb-preferred-bogus-optimistic",
            "capture-spnego-krb-preferred-no-token",
            "capture-spnego-ntlm-first-mic-sent-later",
            "capture-spnego-ntlm-only-optimistic",
            "smb311-blog-channel1-mechlistmic",
        ];
        assert_eq!(names, expected);
    }

    /// After the mechListMIC the RC4 streams begin anew, and the numbers go on from 1.
    #[test]
    fn recorded_ldap_messages_follow_the_mech_list_mic() {
        let vectors = all();
        let vector = vectors.iter().find(|v| v["id"] == "capture-ldap-gss-spnego").unwrap();
        let (input, expected) = (&vector["input"], &vector["expected"]);
        // What the bind carries begins where the first byte of a token can.
        let within = |name: &str, tag: u8| {
            let bytes = unhex(&input[name]);
            let place =
                bytes.windows(2).rposition(|pair| pair == [tag, 0x81] || pair == [tag, 0x82]);
            bytes[place.unwrap_or_default()..].to_vec()
        };
        let list = MechTypeList::new(&[crate::mechanism::NTLM]);
        let last = within("bind_request_2", 0xa1);
        let client_mic = NegTokenResp::decode(&last).unwrap().mech_list_mic.unwrap();
        let response = unhex(&input["bind_response_2"]);
        let server_mic = &response[response.len() - 16..];

        let mut client = session(input, Role::Client);
        let mut server = session(input, Role::Server);
        assert_eq!(make(&mut client, &list).unwrap().as_slice(), client_mic);
        check(&mut server, &list, client_mic).unwrap();
        assert_eq!(make(&mut server, &list).unwrap().as_slice(), server_mic);
        check(&mut client, &list, server_mic).unwrap();

        let mut request = unhex(&input["search_request_plain"]);
        let signature = client.seal(&mut request).unwrap();
        let wrapped = unhex(&expected["search_request_wrapped"]);
        assert_eq!([&signature[..], &request].concat(), wrapped[4..]);
        server.unseal(&mut request, &signature).unwrap();
        let wrapped = unhex(&input["search_response_wrapped"]);
        let (signature, sealed) = wrapped[4..].split_at(16);
        let mut response = sealed.to_vec();
        client.unseal(&mut response, signature).unwrap();
        assert_eq!(response, unhex(&expected["search_response_plain"]));
    }
}
