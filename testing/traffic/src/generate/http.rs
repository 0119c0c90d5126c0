//! HTTP: NTLM or Negotiate, to a server or through a proxy, then requests with bodies.

use super::Fate;
use super::bulk::BulkKind;
use super::connection::{Place, Side, Step, Steps};
use super::handshake::{Handshake, NegState, neg_token_init, neg_token_resp};
use crate::random::Random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

const LONGEST_BODY: usize = 1 << 18;

/// The words of an authentication (RFC 9110 11).
struct Scheme {
    name: &'static str,
    status: &'static str,
    asks: &'static str,
    proves: &'static str,
}

pub(super) fn steps(handshake: &Handshake, mut size: usize, random: &mut Random) -> Steps {
    let mut steps = Steps::default();
    let negotiate = random.chance(0.5);
    let name = if negotiate { "Negotiate" } else { "NTLM" };
    let scheme = if random.chance(0.25) {
        let status = "407 Proxy Authentication Required";
        Scheme { name, status, asks: "Proxy-Authenticate", proves: "Proxy-Authorization" }
    } else {
        Scheme {
            name,
            status: "401 Unauthorized",
            asks: "WWW-Authenticate",
            proves: "Authorization",
        }
    };
    let wrap = |state, message: &[u8]| {
        if negotiate { neg_token_resp(state, message) } else { message.to_vec() }
    };
    let first =
        if negotiate { neg_token_init(&handshake.negotiate) } else { handshake.negotiate.clone() };
    steps.push(Step::Say(Side::Client, request("GET", 0, "").into_bytes()));
    steps.push(Step::Say(Side::Server, refusal(&scheme, &format!("{}: {name}\r\n", scheme.asks))));
    steps.push(token(Side::Client, &scheme, &first));
    steps.push(token(
        Side::Server,
        &scheme,
        &wrap(NegState::AcceptIncomplete, &handshake.challenge),
    ));
    steps.push(token(Side::Client, &scheme, &wrap(NegState::None, &handshake.authenticate)));

    let kind = if random.chance(0.5) { BulkKind::Random } else { BulkKind::Text };
    let mut is_first = true;
    while is_first || size > 0 {
        let count = size.min(1 + random.place(LONGEST_BODY));
        size -= count;
        let posts = !is_first && random.chance(0.2);
        let (sent, answered) = if posts { (count, 0) } else { (0, count) };
        if posts {
            let head = request("POST", sent, "").into_bytes();
            steps.push(Step::Bulk(Side::Client, head, kind, sent));
        } else if !is_first {
            steps.push(Step::Say(Side::Client, request("GET", 0, "").into_bytes()));
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: generated\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {answered}\r\n\r\n"
        );
        steps.push(Step::Bulk(Side::Server, head.into_bytes(), kind, answered));
        is_first = false;
    }
    steps
}

fn request(method: &str, length: usize, more: &str) -> String {
    let length =
        if method == "POST" { format!("Content-Length: {length}\r\n") } else { String::new() };
    format!(
        "{method} /files/report HTTP/1.1\r\nHost: server.example.com\r\nUser-Agent: generated\r\n\
         Accept: */*\r\n{more}{length}\r\n"
    )
}

fn refusal(scheme: &Scheme, header: &str) -> Vec<u8> {
    const BODY: &str = "<html><body>Who are you?</body></html>\n";
    let Scheme { status, .. } = scheme;
    let length = BODY.len();
    format!(
        "HTTP/1.1 {status}\r\nServer: generated\r\n{header}Content-Type: text/html\r\n\
         Content-Length: {length}\r\n\r\n{BODY}"
    )
    .into_bytes()
}

fn token(side: Side, scheme: &Scheme, token: &[u8]) -> Step {
    let text = BASE64.encode(token);
    let Scheme { name, asks, proves, .. } = scheme;
    let bytes = match side {
        Side::Client => request("GET", 0, &format!("{proves}: {name} {text}\r\n")).into_bytes(),
        Side::Server => refusal(scheme, &format!("{asks}: {name} {text}\r\n")),
    };
    let find = |bytes: &[u8], what: &[u8]| {
        bytes.windows(what.len()).position(|window| window == what).unwrap_or_default()
    };
    let start = find(&bytes, text.as_bytes());
    let inner = find(token, b"NTLMSSP\0");
    // Three bytes are four letters.
    let signature = start + inner * 4 / 3..start + (inner + 8) * 4 / 3;
    let place = Place { signature, end: start + text.len() };
    Step::Token(side, bytes, place, Fate::Whole)
}
