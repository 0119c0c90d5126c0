//! How many logons a second an SMB server takes: so many clients at once, each logging on and off in
//! a row, every answer checked as always.
//!
//! `cargo run --release -p ntlm-net --example smb_logons -- 127.0.0.1:445 alice 64 10`, with the
//! password in NTLM_PASSWORD: clients, seconds.

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Credential};
use ntlm_net::smb::{Client, Error, Options, Who};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, clients, seconds] = arguments.as_slice() else {
        return Err("usage: smb_logons ADDRESS:PORT USER CLIENTS SECONDS".into());
    };
    let address: SocketAddr = address.parse()?;
    let clients: usize = clients.parse()?;
    let seconds: u64 = seconds.parse()?;
    let password = Password::from(std::env::var("NTLM_PASSWORD")?.as_str());
    let began = Instant::now();
    let end = began + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let secret = AccountSecret::from_password(&password, CodePage::Cp850);
        let credential = Credential { name: AccountName::parse(user), secret };
        running.spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let began = Instant::now();
                log_on_and_off(address, &credential).await?;
                times.push(began.elapsed());
            }
            Ok::<_, Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(client) = running.join_next().await {
        times.extend(client??);
    }
    let elapsed = began.elapsed();
    times.sort_unstable();
    let percentile = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let per_second = u128::try_from(times.len())? * 1_000_000 / elapsed.as_micros().max(1);
    println!(
        "{clients} clients, {} logons in {:.1} s: {per_second} a second, median {:?}, 99 % within {:?}",
        times.len(),
        elapsed.as_secs_f64(),
        percentile(50),
        percentile(99),
    );
    Ok(())
}

async fn log_on_and_off(address: SocketAddr, credential: &Credential) -> Result<(), Error> {
    let mut client = Client::connect(address, Options::default()).await?;
    client.log_on(Who::Account(credential)).await?;
    client.log_off().await
}
