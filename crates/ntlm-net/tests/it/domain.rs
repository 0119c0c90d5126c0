//! A domain whose controllers fail in every way: each logon is answered once, none is lost, and none
//! is accepted by mistake.

use crate::controller::{Controller, MACHINE_PASSWORD, PASSWORD, Plan, Wrong};
use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Client, ClientConfig, Credential, LogonOutcome, LogonRequest, Protection, Server,
    ServerConfig, ServerNames, Session,
};
use ntlm_net::fresh;
use ntlm_net::netlogon::{
    ControllerError, ControllerName, Controllers, Domain, DomainLimits, DomainOptions, Machine,
    NotJudged, Transport, Unusable, Verdict,
};
use ntlm_net::{Answer, DenialCause, Judge};
use ntlm_netlogon::keys::Algorithms;
use ntlm_netlogon::logon::Refusal;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Who logs on, the session that the client then has, and what the server passes on.
fn logon(user: &str, password: &str) -> (Session, LogonRequest) {
    logon_from("MEMBER1", user, "", password)
}

/// The same on another computer, from a workstation.
pub(crate) fn logon_from(
    computer: &str,
    user: &str,
    workstation: &str,
    password: &str,
) -> (Session, LogonRequest) {
    let secret =
        |password| AccountSecret::from_password(&Password::from(password), CodePage::Cp850);
    let config = ClientConfig {
        protection: Protection::Seal,
        workstation: workstation.into(),
        ..ClientConfig::default()
    };
    let (negotiate, client) = Client::start(config);
    let server = Server::new(ServerConfig::new(ServerNames::new(computer, "CORP"))).unwrap();
    let (challenge, server) = server.challenge(&negotiate, fresh().unwrap()).unwrap();
    let name = AccountName::down_level("CORP", user);
    let credential = Credential { name, secret: secret(password) };
    let (authenticate, client) = client.respond(&challenge, &credential, fresh().unwrap()).unwrap();
    let request = server.receive(&authenticate, fresh().unwrap().now).unwrap();
    (client.into_session(), request)
}

fn options(controllers: &[SocketAddr]) -> DomainOptions {
    let name = |address: &SocketAddr| ControllerName {
        host: address.ip().to_string(),
        port: Some(address.port()),
    };
    let secret = AccountSecret::from_password(&Password::from(MACHINE_PASSWORD), CodePage::Cp850);
    DomainOptions {
        controllers: Controllers::Named(controllers.iter().map(name).collect()),
        machine: Machine::new(r"CORP\MEMBER1$", secret).unwrap(),
        transport: Transport::Tcp,
        algorithms: Algorithms::AesSha2,
        limits: DomainLimits {
            connections: 3,
            logon: Duration::from_secs(20),
            step: Duration::from_millis(700),
            back_off: Duration::from_millis(20),
            lost_too_soon: Duration::from_millis(50),
            ..DomainLimits::default()
        },
    }
}

/// Every seventh has a wrong password, every eleventh is unknown.
fn kind(number: usize) -> (&'static str, String, &'static str) {
    match number {
        _ if number.is_multiple_of(7) => ("wrong", format!("alice{number}"), "guessed"),
        _ if number.is_multiple_of(11) => ("unknown", format!("nobody{number}"), PASSWORD),
        _ => ("right", format!("alice{number}"), PASSWORD),
    }
}

/// Passes so many logons on at once, and checks each verdict; those without one are returned.
async fn pass(domain: Domain, count: usize) -> Vec<NotJudged> {
    let domain = std::sync::Arc::new(domain);
    let mut running = JoinSet::new();
    for number in 0..count {
        let domain = std::sync::Arc::clone(&domain);
        running.spawn(async move {
            let (expected, user, password) = kind(number);
            let (mut client, request) = logon(&user, password);
            match domain.judge(request).await {
                Ok(Verdict::Accepted { outcome, .. }) => {
                    assert_eq!(expected, "right", "{user} was accepted by mistake");
                    let Ok(LogonOutcome::Account(account)) = *outcome else { panic!("no account") };
                    assert_eq!(account.user().to_string(), user);
                    // Both ends have the same keys.
                    let mut server = account.into_session();
                    let signature = client.sign(b"hello").unwrap();
                    server.verify(b"hello", &signature).unwrap();
                    None
                }
                Ok(Verdict::Refused { refusal, .. }) => {
                    let refused = match refusal {
                        Refusal::WrongPassword => "wrong",
                        Refusal::NoSuchUser => "unknown",
                        other => panic!("{user}: {other}"),
                    };
                    assert_eq!(expected, refused);
                    None
                }
                Err(why) => Some(why),
            }
        });
    }
    let mut without = Vec::new();
    let mut answers = 0;
    while let Some(answer) = running.join_next().await {
        answers += 1;
        without.extend(answer.unwrap());
    }
    assert_eq!(answers, count);
    without
}

#[tokio::test]
async fn a_domain_judges_over_one_channel() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let without = pass(Domain::start(options(&[controller.address])), 100).await;
    assert!(without.is_empty(), "{without:?}");
    assert_eq!(controller.channels(), 1);
    let judged = controller.judged();
    assert_eq!(judged.len(), 100, "each once");
}

/// Now and then there is no answer, or none that holds: the logon is sent again, once, and judged.
#[tokio::test]
async fn one_wrong_answer_costs_no_logon() {
    for wrong in Wrong::UNANSWERED {
        // Far apart, or the second might hit the one that is sent again because of the first.
        let plan: Plan = Box::new(move |number| (number == 5 || number == 95).then_some(wrong));
        let controller = Controller::start(plan).await;
        let began = Instant::now();
        let without = pass(Domain::start(options(&[controller.address])), 100).await;
        assert!(without.is_empty(), "{wrong:?}: {without:?}");
        let judged = controller.judged();
        assert_eq!(judged.len(), 102, "{wrong:?}: two were sent again");
        assert!(began.elapsed() < Duration::from_secs(10), "{wrong:?}: {:?}", began.elapsed());
    }
}

/// What a controller cannot judge ends by itself: whoever sends such logons disturbs nobody.
#[tokio::test]
async fn a_useless_answer_is_the_business_of_its_logon() {
    for wrong in Wrong::USELESS {
        let plan: Plan = Box::new(move |number| number.is_multiple_of(2).then_some(wrong));
        let controller = Controller::start(plan).await;
        let without = pass(Domain::start(options(&[controller.address])), 40).await;
        assert_eq!(without.len(), 20, "{wrong:?}: {without:?}");
        let is_told =
            |why: &NotJudged| matches!(why, NotJudged::Undecided(..) | NotJudged::Fault(..));
        assert!(without.iter().all(is_told), "{wrong:?}: {without:?}");
        assert_eq!(controller.judged().len(), 40, "{wrong:?}: each once");
        assert_eq!(controller.channels(), 1, "{wrong:?}");
    }
}

/// Every answer is wrong: nobody gets in, everybody hears so in time, and no logon is sent more than
/// twice, for a controller may count each as an attempt.
#[tokio::test]
async fn a_controller_that_is_always_wrong_lets_nobody_in() {
    for wrong in [Wrong::UNANSWERED.as_slice(), Wrong::USELESS.as_slice()].concat() {
        let controller = Controller::start(Box::new(move |_| Some(wrong))).await;
        let options = options(&[controller.address]);
        let limits = DomainLimits { logon: Duration::from_secs(3), ..options.limits };
        let began = Instant::now();
        let without = pass(Domain::start(DomainOptions { limits, ..options }), 12).await;
        assert_eq!(without.len(), 12, "{wrong:?}");
        assert!(began.elapsed() < Duration::from_secs(6), "{wrong:?}: {:?}", began.elapsed());
        let mut times = BTreeMap::new();
        controller.judged().into_iter().for_each(|user| *times.entry(user).or_insert(0) += 1);
        assert!(times.values().all(|times| *times <= 2), "{wrong:?}: {times:?}");
    }
}

/// Controllers that take channels and then judge nobody are left alone for longer each time; the
/// next one judges.
#[tokio::test]
async fn the_next_controller_is_asked() {
    for wrong in [Wrong::Closed, Wrong::Signature, Wrong::AccessDenied] {
        let bad = Controller::start(Box::new(move |_| Some(wrong))).await;
        let good = Controller::start(Box::new(|_| None)).await;
        let without = pass(Domain::start(options(&[bad.address, good.address])), 60).await;
        // Those that were with the first when it was found out may have been sent twice already.
        assert!(without.len() <= 6, "{wrong:?}: {without:?}");
        assert!(bad.channels() <= 3, "{wrong:?}: {}", bad.channels());
        assert!(good.judged().len() >= 54, "{wrong:?}");
    }
}

/// Calls with authenticators go one at a time; after one without a right answer nobody goes on over
/// that channel, for who knows which authenticator is due.
#[tokio::test]
async fn authenticators_are_checked_where_there_is_no_newer_method() {
    for wrong in [
        None,
        Some(Wrong::Authenticator),
        Some(Wrong::ReplayedAuthenticator),
        Some(Wrong::Closed),
        Some(Wrong::Silence),
        Some(Wrong::Signature),
    ] {
        let plan: Plan = Box::new(move |number| wrong.filter(|_| number == 9));
        let controller = Controller::with_methods(plan, false).await;
        let without = pass(Domain::start(options(&[controller.address])), 40).await;
        assert!(without.is_empty(), "{wrong:?}: {without:?}");
        assert_eq!(controller.channels(), 1 + usize::from(wrong.is_some()), "{wrong:?}");
        assert_eq!(controller.wrong_authenticators(), 0, "{wrong:?}");
    }
}

/// One address where nobody listens, one that takes connections and never says a word, one that
/// closes them: the controller behind them judges, and they are left alone when it fails too.
#[tokio::test]
async fn dead_controllers_are_left_alone() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [unused, silent.local_addr().unwrap(), closing.local_addr().unwrap()];
    let mut counting = JoinSet::new();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&count);
    counting.spawn(async move {
        while let Ok((stream, _)) = closing.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            drop(stream);
        }
    });
    // Four times the channel is lost, and set up anew at once.
    let plan: Plan = Box::new(|number| matches!(number, 5 | 15 | 25 | 35).then_some(Wrong::Fault));
    let controller = Controller::start(plan).await;
    let controllers = [&addresses[..], &[controller.address]].concat();
    let options = options(&controllers);
    let limits = DomainLimits {
        back_off: Duration::from_secs(10),
        lost_too_soon: Duration::ZERO,
        ..options.limits
    };
    let without = pass(Domain::start(DomainOptions { limits, ..options }), 60).await;
    assert!(without.is_empty(), "{without:?}");
    assert_eq!(controller.channels(), 5);
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 1, "tried once, then left alone");
}

/// A controller goes away under load and comes back: logons wait for it.
#[tokio::test]
async fn a_controller_may_come_back() {
    let gone = Controller::start(Box::new(|number| (number > 10).then_some(Wrong::Closed))).await;
    let address = gone.address;
    let domain = Domain::start(options(&[address]));
    let passing = tokio::spawn(pass(domain, 60));
    tokio::time::sleep(Duration::from_millis(30)).await;
    drop(gone);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let back = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break Controller::on(listener, Box::new(|_| None), true),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let without = passing.await.unwrap();
    assert!(without.is_empty(), "{without:?}");
    assert_eq!(back.channels(), 1);
}

#[tokio::test]
async fn a_wrong_machine_password_is_told_at_once() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let secret = AccountSecret::from_password(&Password::from("wrong"), CodePage::Cp850);
    let machine = Machine::new(r"CORP\MEMBER1$", secret).unwrap();
    let options = DomainOptions { machine, ..options(&[controller.address]) };
    let began = Instant::now();
    let without = pass(Domain::start(options), 20).await;
    assert_eq!(without.len(), 20);
    for why in without {
        let NotJudged::NoController(Unusable { error, .. }) = why else { panic!("{why}") };
        let refused = matches!(error, ControllerError::Channel(_) | ControllerError::LeftAlone(_));
        assert!(refused, "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// The controller is silent: so many wait until their time is over, the others hear at once that there
/// are too many.
#[tokio::test]
async fn so_many_may_wait() {
    let controller = Controller::start(Box::new(|_| Some(Wrong::Silence))).await;
    let options = options(&[controller.address]);
    let limits = DomainLimits {
        waiting: 8,
        connections: 1,
        logon: Duration::from_secs(1),
        step: Duration::from_secs(5),
        ..options.limits
    };
    let without = pass(Domain::start(DomainOptions { limits, ..options }), 60).await;
    assert_eq!(without.len(), 60);
    let is_full = |why: &&NotJudged| matches!(why, NotJudged::TooManyWaiting);
    // One is with the controller, or none yet.
    let full = without.iter().filter(is_full).count();
    assert!((51..=52).contains(&full), "{full}");
    let late = |why: &NotJudged| matches!(why, NotJudged::TooManyWaiting | NotJudged::TimedOut(_));
    assert!(without.iter().all(late), "{without:?}");
}

/// A channel gets a new key when its time has come, under load.
#[tokio::test]
async fn channels_get_new_keys() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let options = options(&[controller.address]);
    let limits = DomainLimits { rekey: Duration::from_millis(5), ..options.limits };
    let without = pass(Domain::start(DomainOptions { limits, ..options }), 300).await;
    assert!(without.is_empty(), "{without:?}");
    assert!(controller.channels() > 1, "{}", controller.channels());
}

/// Accounts that are here come first; who is unknown to all is refused like a wrong password.
#[tokio::test]
async fn judges_are_asked_one_after_the_other() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let mut accounts = ntlm_accounts::Accounts::new(CodePage::Cp850);
    let text = "[[account]]\nuser = \"local\"\ndomain = \"MEMBER1\"\npassword = \"here\"\n";
    accounts.add("accounts", text, ntlm_accounts::Format::Toml).unwrap();
    let domain = Domain::start(options(&[controller.address]));
    let judge = Judge::chain(vec![Judge::accounts(accounts), Judge::domain(domain)]);
    let mut results = BTreeMap::new();
    for (user, password) in [
        ("local", "here"),
        ("local", "wrong"),
        ("alice", PASSWORD),
        ("alice", "wrong"),
        ("nobody", "x"),
    ] {
        let (_, request) = logon(user, password);
        let result = match judge.judge(request).await {
            Ok(granted) if granted.by_controller.is_some() => "by the controller".to_owned(),
            Ok(_) => "here".to_owned(),
            Err(denied) => match denied.cause {
                DenialCause::Controller(refusal) => refusal.to_string(),
                other => other.to_string(),
            },
        };
        results.insert((user, password), result);
    }
    assert_eq!(results[&("local", "here")], "here");
    assert_eq!(results[&("alice", PASSWORD)], "by the controller");
    assert_eq!(results[&("alice", "wrong")], "wrong password");
    assert_eq!(results[&("nobody", "x")], "no such user");
    assert!(results[&("local", "wrong")].contains("password"), "{results:?}");
    assert!(controller.judged().iter().all(|user| user != "local"), "not the domain's business");
    let nobody = Judge::chain(Vec::new());
    let (_, request) = logon("alice", PASSWORD);
    assert!(matches!(nobody.ask(request).await, Answer::NotKnown(_)));
    let (_, request) = logon("alice", PASSWORD);
    assert!(nobody.judge(request).await.is_err());
}
