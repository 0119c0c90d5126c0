//! Which judge a logon comes to.

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Client, ClientConfig, Credential, LogonRequest, Server, ServerConfig, ServerNames,
};
use ntlm_accounts::{Accounts, Format};
use ntlm_net::{Answer, Judge, fresh};
use std::sync::{Arc, Mutex};

const ACCOUNTS: &str = r#"
[[account]]
user = "alice"
domain = "MEMBER1"
password = "of alice here"

[[account]]
user = "bob"
password = "of bob here"

[[account]]
user = "carol"
domain = "CORP"
password = "of carol"

[[account]]
user = "twice"
password = "one"

[[account]]
user = "twice"
password = "another"
"#;

fn logon(domain: &str, user: &str, password: &str) -> LogonRequest {
    let secret = AccountSecret::from_password(&Password::from(password), CodePage::Cp850);
    let (negotiate, client) = Client::start(ClientConfig::default());
    let server = Server::new(ServerConfig::new(ServerNames::new("MEMBER1", "CORP"))).unwrap();
    let (challenge, server) = server.challenge(&negotiate, fresh().unwrap()).unwrap();
    let credential = Credential { name: AccountName::down_level(domain, user), secret };
    let (authenticate, _) = client.respond(&challenge, &credential, fresh().unwrap()).unwrap();
    let request = server.receive(&authenticate, fresh().unwrap().now).unwrap();
    assert_eq!(request.domain().to_string(), domain, "as it was given");
    request
}

/// A local account is not taken for the domain's of the same name, nor the other way round.
#[tokio::test]
async fn accounts_of_a_member_are_its_own() {
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts", ACCOUNTS, Format::Toml).unwrap();
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    // In the place of the domain: it has one account.
    let domain = Judge::new(move |request| {
        *counted.lock().unwrap() += 1;
        let password = Password::from("of alice there");
        let secret = AccountSecret::from_password(&password, CodePage::Cp850);
        async move { Answer::here(request.verify(Some(&secret))) }
    });
    let judge = Judge::chain(vec![Judge::accounts_of(accounts, "Member1"), domain]);
    for (name, user, password, expected) in [
        ("", "alice", "of alice here", (true, 0)),
        (".", "alice", "of alice here", (true, 0)),
        ("MEMBER1", "alice", "of alice here", (true, 0)),
        ("member1", "ALICE", "of alice here", (true, 0)),
        ("", "alice", "of alice there", (false, 0)),
        ("MEMBER1", "alice", "of alice there", (false, 0)),
        ("CORP", "alice", "of alice there", (true, 1)),
        ("CORP", "alice", "of alice here", (false, 1)),
        ("OTHER", "alice", "of alice here", (false, 1)),
        // One without a domain is local.
        ("", "bob", "of bob here", (true, 0)),
        ("member1", "bob", "of bob here", (true, 0)),
        ("CORP", "bob", "of bob here", (false, 1)),
        // One of another domain has to be meant.
        ("corp", "carol", "of carol", (true, 0)),
        ("CORP", "carol", "wrong", (false, 0)),
        ("", "carol", "of carol", (false, 1)),
        ("MEMBER1", "carol", "of carol", (false, 1)),
        // Nobody can say which is meant, but for the domain nothing is unclear.
        ("", "twice", "one", (false, 0)),
        ("CORP", "twice", "of alice there", (true, 1)),
        ("", "nobody", "x", (false, 1)),
    ] {
        *asked.lock().unwrap() = 0;
        let accepted = judge.judge(logon(name, user, password)).await.is_ok();
        let asked = *asked.lock().unwrap();
        assert_eq!((accepted, asked), expected, "{name}\\{user} with the password {password:?}");
    }
}
