//! The crate `ntlm`.

use crate::{Contestant, DOMAIN, PASSWORD, USER, WORKSTATION};
use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Challenged, Client, ClientConfig, Credential, FileTime, Fresh, Protection, Server,
    ServerConfig, ServerNames, Session,
};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The crate `ntlm`.
pub struct Ours;

/// What all connections share.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    // About as short as what the other contestant sends, so that both hash as much.
    let (nb_computer, nb_domain) = ("PC".into(), "PC".into());
    let names = ServerNames { nb_computer, nb_domain, ..ServerNames::default() };
    Server::new(ServerConfig::new(names)).expect("short names")
});

/// The library calls neither the clock nor the system's generator; its caller does, and here too.
fn fresh() -> Fresh {
    let mut random = [0; 24];
    getrandom::fill(&mut random).expect("the system has a generator");
    Fresh::from_random(now(), random)
}

fn now() -> FileTime {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix_nanos(since_1970.as_nanos())
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from(PASSWORD), CodePage::Cp437)
}

impl Contestant for Ours {
    type End = Session;
    type Challenged = Challenged;

    const NAME: &str = "ntlm";

    fn client(challenge: impl FnOnce(&[u8]) -> Vec<u8>) -> (Session, Vec<u8>) {
        let config = ClientConfig {
            protection: Protection::Seal,
            workstation: WORKSTATION.into(),
            ..ClientConfig::default()
        };
        let credential =
            Credential { name: AccountName::down_level(DOMAIN, USER), secret: secret() };
        let (negotiate, client) = Client::start(config);
        let challenge = challenge(&negotiate);
        let answer = client.respond(&challenge, &credential, fresh());
        let (authenticate, established) = answer.expect("a good challenge");
        (established.into_session(), authenticate)
    }

    fn challenge(negotiate: &[u8]) -> (Challenged, Vec<u8>) {
        let (challenge, challenged) =
            SERVER.clone().challenge(negotiate, fresh()).expect("a good NEGOTIATE");
        (challenged, challenge)
    }

    fn accept(challenged: Challenged, authenticate: &[u8]) -> Session {
        let logon = challenged.receive(authenticate, now()).expect("a good AUTHENTICATE");
        let outcome = logon.verify(Some(&secret())).expect("the right password");
        outcome.into_account().expect("an account").into_session()
    }

    fn sign(end: &mut Session, _: u32, message: &mut [u8]) -> [u8; 16] {
        end.sign(message).expect("negotiated")
    }

    fn verify(end: &mut Session, _: u32, message: &mut [u8], signature: &mut [u8; 16]) {
        end.verify(message, signature).expect("a good signature");
    }

    fn seal(end: &mut Session, message: &mut [u8]) -> [u8; 16] {
        end.seal(message).expect("negotiated")
    }

    fn unseal(end: &mut Session, message: &mut [u8], signature: &mut [u8; 16]) {
        end.unseal(message, signature).expect("a good signature");
    }
}
