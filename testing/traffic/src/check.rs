//! Whether every exchange of a generated capture was found, and each once.

use crate::generate::{Summary, server_challenge, user};
use serde::Deserialize;
use std::collections::HashMap;

/// What is looked at of the JSON that `ntlm explain --json` prints.
#[derive(Debug, Deserialize)]
pub struct Found {
    captures: Vec<FoundCapture>,
}

#[derive(Debug, Deserialize)]
struct FoundCapture {
    exchanges: Vec<FoundExchange>,
}

#[derive(Debug, Deserialize)]
struct FoundExchange {
    id: u64,
    client: Option<String>,
    account: FoundAccount,
    server_challenge: Option<String>,
    flags: FoundFlags,
}

#[derive(Debug, Deserialize)]
struct FoundAccount {
    user: String,
}

/// None are listed of a message that was not seen.
#[derive(Debug, Deserialize)]
struct FoundFlags {
    negotiate: Vec<String>,
    challenge: Vec<String>,
    authenticate: Vec<String>,
}

/// Compares what was sent with what was found. Returns what is wrong, in words.
#[must_use]
pub fn check(summary: &Summary, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: HashMap<String, u64> = (0..summary.exchanges)
        .map(|exchange| (hex(&server_challenge(summary.seed, exchange)), exchange))
        .collect();
    let mut messages = 0;
    for exchange in found.captures.iter().flat_map(|capture| &capture.exchanges) {
        let FoundFlags { negotiate, challenge, authenticate } = &exchange.flags;
        let seen = [negotiate, challenge, authenticate].map(|flags| !flags.is_empty());
        messages += seen.iter().map(|seen| u64::from(*seen)).sum::<u64>();
        let client = exchange.client.as_deref().unwrap_or("?");
        let place = format!("exchange {} of {client}", exchange.id);
        if seen != [true; 3] {
            wrong.push(format!("{place} has not all three messages: {seen:?}"));
        }
        match exchange.server_challenge.as_ref().and_then(|challenge| missing.remove(challenge)) {
            None => wrong.push(format!("{place} has a challenge found before or never sent")),
            Some(number) if exchange.account.user != user(number) => {
                wrong.push(format!("{place} has the challenge of another user: {}", user(number)));
            }
            Some(_) => {}
        }
    }
    if messages != summary.messages {
        wrong.push(format!("{messages} messages were found, {} were sent", summary.messages));
    }
    let mut missing: Vec<u64> = missing.into_values().collect();
    missing.sort_unstable();
    wrong.extend(missing.into_iter().map(|exchange| format!("{} was not found", user(exchange))));
    wrong
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(exchanges: &[(u64, &str)]) -> Vec<String> {
        let summary = Summary { seed: 3, exchanges: 2, messages: 6, ..Summary::default() };
        let exchanges: Vec<String> = exchanges
            .iter()
            .map(|(number, user)| {
                let challenge = hex(&server_challenge(3, *number));
                format!(
                    r#"{{"id":1,"client":null,"account":{{"user":"{user}"}},"server_challenge":"{challenge}",
                    "flags":{{"negotiate":["A"],"challenge":["A"],"authenticate":["A"]}}}}"#
                )
            })
            .collect();
        let text = format!(r#"{{"captures":[{{"exchanges":[{}]}}]}}"#, exchanges.join(","));
        check(&summary, &serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn each_exchange_once_is_right() {
        assert!(wrong(&[(1, "user0000001"), (0, "user0000000")]).is_empty());
    }

    #[test]
    fn twice_never_and_mixed_up_are_wrong() {
        assert_eq!(wrong(&[(1, "user0000001")]).len(), 2);
        assert_eq!(wrong(&[(1, "user0000001"), (1, "user0000001")]).len(), 2);
        assert_eq!(wrong(&[(1, "user0000000"), (0, "user0000001")]).len(), 2);
        assert_eq!(wrong(&[(1, "user0000001"), (7, "user0000007")]).len(), 2);
    }
}
