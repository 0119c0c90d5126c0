//! Client and server in memory: three messages, the same keys at both ends, one sealed message.

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Client, ClientConfig, Credential, FileTime, Fresh, Protection};
use ntlm::{Server, ServerConfig, ServerNames};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let config = ClientConfig { protection: Protection::Seal, ..ClientConfig::default() };
    let (negotiate, client) = Client::start(config);
    println!("client: NEGOTIATE    {:3} bytes", negotiate.len());

    let (nb_computer, nb_domain) = ("SERVER".into(), "EXAMPLE".into());
    let names = ServerNames { nb_computer, nb_domain, ..ServerNames::default() };
    let server = Server::new(ServerConfig::new(names))?;
    let (challenge, server) = server.challenge(&negotiate, fresh(1))?;
    println!("server: CHALLENGE    {:3} bytes", challenge.len());

    let alice = Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret() };
    let (authenticate, client) = client.respond(&challenge, &alice, fresh(2))?;
    println!("client: AUTHENTICATE {:3} bytes", authenticate.len());

    let logon = server.receive(&authenticate, fresh(3).now)?;
    println!("server: {}\\{} says to be there; proving it", logon.domain(), logon.user());
    let account = logon.verify(Some(&secret()))?.into_account().ok_or("not an account")?;
    println!("server: {}, MIC {:?}", account.keys().version().name(), account.mic());

    let ours = client.keys().exported_session_key().expose();
    assert_eq!(ours, account.keys().exported_session_key().expose());
    println!("both:   ExportedSessionKey {ours:02x?}");

    let (mut client, mut server) = (client.into_session(), account.into_session());
    let mut message = *b"for your eyes only";
    let signature = client.seal(&mut message)?;
    println!("client: seals to {message:02x?}");
    server.unseal(&mut message, &signature)?;
    println!("server: unseals to {:?}", String::from_utf8_lossy(&message));
    Ok(())
}

/// What a server looks up, or has from the password, as here.
fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437)
}

/// The clock, and 24 bytes that must come from the system's generator in earnest.
fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24])
}
