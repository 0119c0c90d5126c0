//! Logons judged by a real controller: Samba's.

use crate::dc::Controller;
use crate::domain::logon_from;
use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm_net::netlogon::{
    ControllerName, Controllers, Domain, DomainLimits, DomainOptions, Machine, Transport, Verdict,
};
use ntlm_netlogon::keys::Algorithms;

/// An account of the controller, and what comes back for the right password and for a wrong one.
const ACCOUNTS: [(&str, &str, &str); 13] = [
    ("alice", "STATUS_SUCCESS", "STATUS_WRONG_PASSWORD"),
    ("bob", "STATUS_SUCCESS", "STATUS_WRONG_PASSWORD"),
    ("carla", "STATUS_SUCCESS", "STATUS_WRONG_PASSWORD"),
    ("MixedCase", "STATUS_SUCCESS", "STATUS_WRONG_PASSWORD"),
    ("longpw", "STATUS_SUCCESS", "STATUS_WRONG_PASSWORD"),
    ("daisy", "STATUS_ACCOUNT_DISABLED", "STATUS_WRONG_PASSWORD"),
    // Refused before the password is looked at.
    ("locky", "STATUS_ACCOUNT_LOCKED_OUT", "STATUS_ACCOUNT_LOCKED_OUT"),
    ("expired", "STATUS_PASSWORD_EXPIRED", "STATUS_WRONG_PASSWORD"),
    ("mustchg", "STATUS_PASSWORD_MUST_CHANGE", "STATUS_WRONG_PASSWORD"),
    ("gone", "STATUS_ACCOUNT_EXPIRED", "STATUS_WRONG_PASSWORD"),
    ("nohours", "STATUS_INVALID_LOGON_HOURS", "STATUS_WRONG_PASSWORD"),
    ("otherws", "STATUS_INVALID_WORKSTATION", "STATUS_WRONG_PASSWORD"),
    ("guarded", "STATUS_ACCOUNT_RESTRICTION", "STATUS_ACCOUNT_RESTRICTION"),
];

fn domain(
    controller: &Controller,
    controllers: Controllers,
    transport: Transport,
    machine: (&str, &str),
) -> Domain {
    let (account, password) = (controller.fact(machine.0), controller.fact(machine.1));
    let secret = AccountSecret::from_password(&Password::from(password), CodePage::Cp850);
    Domain::start(DomainOptions {
        controllers,
        machine: Machine::new(&format!("CORP\\{account}"), secret).unwrap(),
        transport,
        algorithms: Algorithms::AesSha2,
        limits: DomainLimits::default(),
    })
}

fn at(hosts: &[String]) -> Controllers {
    let name = |host: &String| ControllerName { host: host.clone(), port: None };
    Controllers::Named(hosts.iter().map(name).collect())
}

async fn status(domain: &Domain, user: &str, workstation: &str, password: &str) -> String {
    let (_, request) = logon_from("MEMBER1", user, workstation, password);
    match domain.judge(request).await.unwrap() {
        Verdict::Accepted { outcome, account, .. } => {
            assert_eq!(account.effective_name.to_string().to_lowercase(), user.to_lowercase());
            assert!(outcome.is_ok(), "{user}: {outcome:?}");
            "STATUS_SUCCESS".to_owned()
        }
        Verdict::Refused { refusal, .. } => refusal.status().to_string(),
    }
}

#[tokio::test]
async fn every_account_gets_its_status_over_tcp_and_in_a_pipe() {
    let Some(controller) = Controller::get() else { return };
    for transport in [Transport::Tcp, Transport::Pipe(Box::default())] {
        let host = controller.address().to_string();
        let machine = ("MACHINE_ACCOUNT", "MACHINE_PASSWORD");
        let domain = domain(controller, at(&[host]), transport, machine);
        for (user, right, wrong) in ACCOUNTS {
            let password = controller.password(user);
            assert_eq!(status(&domain, user, "WS1", password).await, right, "{user}");
            assert_eq!(status(&domain, user, "WS1", "Wrong-Password-1").await, wrong, "{user}");
        }
        assert_eq!(status(&domain, "nosuch", "WS1", "x").await, "STATUS_NO_SUCH_USER");
        let password = controller.password("otherws");
        assert_eq!(status(&domain, "otherws", "OTHERPC", password).await, "STATUS_SUCCESS");
    }
}

/// And a machine whose password is not ASCII; the first address is nobody's.
#[tokio::test]
async fn the_second_address_answers_where_the_first_is_dead() {
    let Some(controller) = Controller::get() else { return };
    let hosts = ["127.0.0.199".to_owned(), controller.address().to_string()];
    let machine = ("MACHINE2_ACCOUNT", "MACHINE2_PASSWORD");
    let domain = domain(controller, at(&hosts), Transport::Tcp, machine);
    let (mut client, request) = logon_from("MEMBER2", "alice", "", controller.password("alice"));
    let Verdict::Accepted { outcome, via, .. } = domain.judge(request).await.unwrap() else {
        panic!("refused");
    };
    assert_eq!(via.controller.host, hosts[1]);
    // The session keys of client and server agree, which the controller's key made possible.
    let account = outcome.unwrap().into_account().unwrap();
    let signature = client.sign(b"hello").unwrap();
    account.into_session().verify(b"hello", &signature).unwrap();
}

#[cfg(feature = "dns")]
#[tokio::test]
async fn dns_names_the_controller() {
    let Some(controller) = Controller::get() else { return };
    let server = std::net::SocketAddr::new(controller.address(), 53);
    let dns = ntlm_net::netlogon::Dns::new("corp.example.test", Some(server)).unwrap();
    let machine = ("MACHINE_ACCOUNT", "MACHINE_PASSWORD");
    let domain = domain(controller, Controllers::Dns(Box::new(dns)), Transport::Tcp, machine);
    let (_, request) = logon_from("MEMBER1", "alice", "", controller.password("alice"));
    let verdict = domain.judge(request).await.unwrap();
    let Verdict::Accepted { via, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(via.controller.host, "dc1.corp.example.test");
    assert_eq!(via.address.ip(), controller.address());
}
