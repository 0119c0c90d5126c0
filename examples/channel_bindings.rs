//! A logon tied to a TLS channel: the server's certificate decides, a relayed logon is refused.

use ntlm::keys::{AccountSecret, Password};
use ntlm::policy::{ChannelBindingsPolicy, ServerPolicy};
use ntlm::text::CodePage;
use ntlm::{AccountName, ChannelBindings, Client, ClientConfig, Credential, FileTime, Fresh};
use ntlm::{Server, ServerConfig, ServerNames, tls_server_end_point};
use std::error::Error;

const OURS: &[u8] = include_bytes!("../testdata/certificates/rsa-sha256.der");
const OF_AN_ATTACKER: &[u8] = include_bytes!("../testdata/certificates/ecdsa-sha384.der");

fn main() -> Result<(), Box<dyn Error>> {
    for (name, certificate) in [("our", OURS), ("the attacker's", OF_AN_ATTACKER)] {
        let hash = tls_server_end_point(certificate)?;
        let bindings = ChannelBindings::from_certificate(certificate)?;
        println!("{name} certificate: {}, bindings {:02x?}", hash.algorithm(), bindings.to_bytes());
    }
    println!("a client on our channel: {}", log_on(OURS)?);
    println!("a client whose logon is relayed from another channel: {}", log_on(OF_AN_ATTACKER)?);
    Ok(())
}

/// A client that sees this certificate, and a server that has sent ours.
fn log_on(certificate: &[u8]) -> Result<String, Box<dyn Error>> {
    let bindings = ChannelBindings::from_certificate(certificate)?;
    let config = ClientConfig { channel_bindings: Some(bindings), ..ClientConfig::default() };
    let (negotiate, client) = Client::start(config);

    let mut config = ServerConfig::new(ServerNames::new("SERVER", "EXAMPLE"));
    config.channel_bindings = Some(ChannelBindings::from_certificate(OURS)?);
    let channel_bindings = ChannelBindingsPolicy::Require;
    config.policy = ServerPolicy { channel_bindings, ..ServerPolicy::default() };
    let (challenge, server) = Server::new(config)?.challenge(&negotiate, fresh(1))?;

    let alice = Credential { name: AccountName::parse("alice"), secret: secret() };
    let (authenticate, _) = client.respond(&challenge, &alice, fresh(2))?;
    Ok(match server.receive(&authenticate, fresh(3).now)?.verify(Some(&secret())) {
        Ok(outcome) => {
            let account = outcome.into_account().ok_or("not an account")?;
            format!("let in, channel bindings {:?}", account.channel_bindings())
        }
        // The client is told no more; the reason is for the server's log.
        Err(denied) => format!("{denied}, because of {:?}", denied.reason_for_the_log()),
    })
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437)
}

/// The clock, and 24 bytes that must come from the system's generator in earnest.
fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24])
}
