//! Requests and replies.

use crate::hex::decode_hex;
use crate::peer::{Peer, Refused};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The reply to one request; every failure is an answer, and the program goes on.
pub(crate) fn answer(peer: &mut Peer, words: &[&str], hex: bool) -> String {
    let codec = Codec { hex };
    match reply(peer, words, codec) {
        Ok(text) if text.is_empty() => "ok".to_owned(),
        Ok(text) => format!("ok {text}"),
        Err(Refused { kind, text }) => format!("err {kind}: {text}"),
    }
}

fn reply(peer: &mut Peer, words: &[&str], codec: Codec) -> Result<String, Refused> {
    match words {
        ["step"] => step(peer, &[], codec),
        ["step", token] => step(peer, &codec.decode(token)?, codec),
        ["wrap", data] => Ok(codec.encode(&peer.wrap(codec.decode(data)?, true)?)),
        ["wrap", data, conf] => Ok(codec.encode(&peer.wrap(codec.decode(data)?, *conf != "0")?)),
        ["unwrap", sealed] => Ok(codec.encode(&peer.unwrap(&codec.decode(sealed)?)?)),
        ["sign", data] => Ok(codec.encode(&peer.sign(&codec.decode(data)?)?)),
        ["verify", data, signature] => {
            peer.verify(&codec.decode(data)?, &codec.decode(signature)?)?;
            Ok(String::new())
        }
        ["info"] => Ok(peer.info().to_string()),
        _ => Err(Refused::new("protocol", "unknown request")),
    }
}

fn step(peer: &mut Peer, token: &[u8], codec: Codec) -> Result<String, Refused> {
    let (token, complete) = peer.step(token)?;
    Ok(format!("{} {}", codec.encode(&token), u8::from(complete)))
}

#[derive(Clone, Copy)]
struct Codec {
    hex: bool,
}

impl Codec {
    fn encode(self, bytes: &[u8]) -> String {
        match (bytes, self.hex) {
            ([], _) => "-".to_owned(),
            (bytes, true) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            (bytes, false) => BASE64.encode(bytes),
        }
    }

    fn decode(self, text: &str) -> Result<Vec<u8>, Refused> {
        let invalid = || Refused::new("protocol", "value is not encoded");
        match (text, self.hex) {
            ("-", _) => Ok(Vec::new()),
            (text, true) => decode_hex(text).ok_or_else(invalid),
            (text, false) => BASE64.decode(text).map_err(|_| invalid()),
        }
    }
}
