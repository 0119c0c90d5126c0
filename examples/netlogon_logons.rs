//! How many logons a second a domain controller judges for us: so many at once, each in a row, over so
//! many connections.
//!
//! `cargo run --release -p ntlm-net --example netlogon_logons -- 127.0.0.88 'CORP\MEMBER1$'
//! 'CORP\alice' 16 4 10`: how many wait, connections, seconds. The passwords are in NTLM_PASSWORD and
//! NTLM_MACHINE_PASSWORD.

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Client, ClientConfig, Credential, LogonRequest};
use ntlm::{Server, ServerConfig, ServerNames};
use ntlm_net::fresh;
use ntlm_net::netlogon::{
    ControllerName, Controllers, Domain, DomainLimits, DomainOptions, Machine, Transport, Verdict,
};
use ntlm_netlogon::keys::Algorithms;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [controller, machine, user, waiting, connections, seconds] = arguments.as_slice() else {
        return Err(
            "usage: netlogon_logons CONTROLLER MACHINE USER WAITING CONNECTIONS SECONDS".into()
        );
    };
    let machine = Machine::new(machine, secret("NTLM_MACHINE_PASSWORD")?)?;
    let names = ServerNames::new(&machine.computer, &machine.domain);
    let server = Server::new(ServerConfig::new(names))?;
    let (host, port) = match controller.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse()?)),
        None => (controller.as_str(), None),
    };
    let domain = Arc::new(Domain::start(DomainOptions {
        controllers: Controllers::Named(vec![ControllerName { host: host.to_owned(), port }]),
        machine,
        transport: Transport::Tcp,
        algorithms: Algorithms::AesSha2,
        limits: DomainLimits { connections: connections.parse()?, ..DomainLimits::default() },
    }));
    let credential =
        Credential { name: AccountName::parse(user), secret: secret("NTLM_PASSWORD")? };
    // The channel is set up before the clock runs.
    pass(&domain, request(&server, &credential)?).await?;
    let waiting: usize = waiting.parse()?;
    let seconds: u64 = seconds.parse()?;
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for _ in 0..waiting {
        let (domain, server) = (Arc::clone(&domain), server.clone());
        let Credential { name, secret } = &credential;
        let credential = Credential { name: name.clone(), secret: secret.duplicate() };
        running.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let request = request(&server, &credential).map_err(|error| error.to_string())?;
                let began = Instant::now();
                pass(&domain, request).await?;
                times.push(began.elapsed());
            }
            Ok::<_, String>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(logons) = running.join_next().await {
        times.extend(logons??);
    }
    let elapsed = began.elapsed();
    times.sort_unstable();
    let percentile = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let per_second = u128::try_from(times.len())? * 1_000_000 / elapsed.as_micros().max(1);
    println!(
        "{waiting} waiting, {connections} connections: {per_second} logons a second, median {:.1?}, \
         99 % within {:.1?}",
        percentile(50),
        percentile(99),
    );
    Ok(())
}

/// A new logon, as a server has it to pass on.
fn request(server: &Server, credential: &Credential) -> Result<LogonRequest, Box<dyn Error>> {
    let (negotiate, client) = Client::start(ClientConfig::default());
    let (challenge, server) = server.clone().challenge(&negotiate, fresh()?)?;
    let (authenticate, _) = client.respond(&challenge, credential, fresh()?)?;
    Ok(server.receive(&authenticate, fresh()?.now)?)
}

async fn pass(domain: &Domain, request: LogonRequest) -> Result<(), String> {
    match domain.judge(request).await {
        Ok(Verdict::Accepted { outcome, .. }) => match *outcome {
            Ok(_) => Ok(()),
            Err(denied) => Err(denied.to_string()),
        },
        Ok(Verdict::Refused { refusal, .. }) => Err(refusal.to_string()),
        Err(why) => Err(why.to_string()),
    }
}

fn secret(variable: &str) -> Result<AccountSecret, Box<dyn Error>> {
    let password = std::env::var(variable).map_err(|error| format!("{variable}: {error}"))?;
    Ok(AccountSecret::from_password(&Password::from(password.as_str()), CodePage::Cp850))
}
