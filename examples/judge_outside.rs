//! A server without the accounts: a domain controller judges, the server takes its verdict.

use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    AccountSecret, Derivation, KeyExchange, KeySchedule, KeySource, Password, Responses,
};
use ntlm::text::CodePage;
use ntlm::{AccountName, Client, ClientConfig, Credential, FileTime, Fresh, LogonRequest};
use ntlm::{Server, ServerConfig, ServerNames, Verdict};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (negotiate, client) = Client::start(ClientConfig::default());
    let server = Server::new(ServerConfig::new(ServerNames::new("SERVER", "EXAMPLE")))?;
    let (challenge, server) = server.challenge(&negotiate, fresh(1))?;
    let alice = Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret() };
    let (authenticate, client) = client.respond(&challenge, &alice, fresh(2))?;
    let logon = server.receive(&authenticate, fresh(3).now)?;
    let verdict = domain_controller(&logon).ok_or("the controller says no")?;
    // MIC, bindings and policy are still checked here, with the key that came back.
    let account = logon.accept(verdict)?.into_account().ok_or("not an account")?;
    println!("server: {} is let in, MIC {:?}", account.user(), account.mic());
    let key = client.keys().exported_session_key();
    assert_eq!(key.expose(), account.keys().exported_session_key().expose());
    Ok(())
}

/// In earnest (MS-APDS) names, challenge and responses go there, and the session base key back.
fn domain_controller(logon: &LogonRequest) -> Option<Verdict> {
    let (user, domain) = (logon.user(), logon.domain());
    println!("controller: asked for {domain}\\{user}");
    let (lm, nt) = (logon.lm_challenge_response(), logon.nt_challenge_response());
    let server_challenge = logon.challenge_for_domain_controller();
    let responses = Responses {
        server_challenge,
        lm: &lm,
        nt: &nt,
        user: user.as_units(),
        domain: domain.as_units(),
        // The controller's challenge has it worked in already.
        extended_session_security: false,
    };
    let secret = secret();
    let negotiate_flags = NegotiateFlags::empty();
    let keys = KeySchedule::derive(Derivation {
        negotiate_flags,
        server_challenge,
        lm_challenge_response: &lm,
        source: KeySource::Proof(responses.verify(&secret)?),
        key_exchange: KeyExchange::received(negotiate_flags, &[]).ok()?,
    });
    Some(Verdict {
        session_base_key: keys.session_base_key()?.duplicate(),
        lmowf_prefix: None,
        used_lm_password: false,
    })
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437)
}

fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24])
}
