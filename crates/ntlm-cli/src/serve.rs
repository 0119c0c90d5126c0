//! `ntlm serve`.

mod domain;
mod record;

use crate::args::{SecretArgs, ServeArgs, ServePolicy, ServeProtocol, ServeSmbArgs, or_default};
use crate::failure::Failure;
use crate::{screen, secrets};
use ntlm::policy::ServerPolicy;
use ntlm::{Server as Ntlm, ServerConfig as NtlmConfig, ServerNames};
use ntlm_net::Judge;
use ntlm_net::netlogon::Machine;
use ntlm_net::smb::{Server, ServerLimits, ServerOptions, ShareLimits};
use ntlm_smb::server::ServerConfig;
use record::Records;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How many lines may wait to be printed; what comes then is counted and left out.
const LINES: usize = 4096;

pub(crate) fn run(args: &ServeArgs) -> Result<ExitCode, Failure> {
    let ServeProtocol::Smb(args) = &args.protocol;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("runtime", &error))?;
    let options = {
        let _in_runtime = runtime.enter();
        options(args)?
    };
    let (sender, lines) = sync_channel(LINES);
    let printer = thread::spawn(move || print(&lines));
    let served = runtime.block_on(serve(args, options, Records::new(args, sender)));
    runtime.shutdown_background();
    // Every sender is gone: it ends behind the last line.
    let printed = printer.join().map_err(|_| Failure::new("printing failed"))?;
    served.and(printed)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what comes, so that a reader who is slow holds up no client.
fn print(lines: &Receiver<String>) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| screen::print(&line))
}

async fn serve(
    args: &ServeSmbArgs,
    options: ServerOptions,
    records: Records,
) -> Result<(), Failure> {
    let label = args.listen.to_string();
    let server = Server::new(options).map_err(|error| Failure::io("server", &error))?;
    // Before the line that says it is ready, so that nobody stops it in between.
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [terminate, interrupt] = signals;
    let mut terminate = terminate.map_err(|error| Failure::io("SIGTERM", &error))?;
    let mut interrupt = interrupt.map_err(|error| Failure::io("SIGINT", &error))?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|error| Failure::io(&label, &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io(&label, &error))?;
    records.listening(address);
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.on_event(move |event| records.event(event)).serve(listener, stop).await;
    Ok(())
}

fn options(args: &ServeSmbArgs) -> Result<ServerOptions, Failure> {
    let machine = domain::machine(args)?;
    let has = |policy| args.policy.contains(&policy);
    let policy = ServerPolicy {
        require_mic: has(ServePolicy::RequireMic),
        insecure_accept_ntlmv1: has(ServePolicy::InsecureNtlmv1),
        insecure_accept_lm: has(ServePolicy::InsecureLm),
        insecure_accept_lmv2_alone: has(ServePolicy::InsecureLmv2Alone),
        insecure_allow_anonymous: has(ServePolicy::InsecureAnonymous),
        insecure_allow_guest: has(ServePolicy::InsecureGuest),
        require_128_bit: !has(ServePolicy::InsecureWeakKeys),
        require_extended_session_security: !has(ServePolicy::InsecureWeakKeys),
        ..ServerPolicy::default()
    };
    let ntlm = NtlmConfig {
        policy,
        code_page: args.code_page.into(),
        is_domain_joined: machine.is_some(),
        ..NtlmConfig::new(names(args, machine.as_ref()))
    };
    let ntlm = Ntlm::new(ntlm).map_err(|why| Failure::new(format!("--name: {why}")))?;
    let now = ntlm_net::fresh().map_err(|error| Failure::io("random bytes", &error))?.now;
    let random = ntlm_net::random().map_err(|error| Failure::io("random bytes", &error))?;
    let defaults = ServerConfig::new(ntlm);
    let server = ServerConfig {
        dialects: args.dialect.0,
        signing_algorithms: or_default(&args.signing_algorithm, defaults.signing_algorithms),
        ciphers: or_default(&args.cipher, defaults.ciphers),
        require_signing: has(ServePolicy::RequireSigning),
        require_encryption: has(ServePolicy::RequireEncryption),
        insecure_bare_session_setup: has(ServePolicy::InsecureBareSessionSetup),
        server_guid: random,
        start_time: now,
        keep_keys: args.show_keys,
        ..defaults
    };
    let limits = ServerLimits { connections: args.connections.into(), ..ServerLimits::default() };
    Ok(ServerOptions {
        server,
        judge: judge(args, machine)?,
        limits,
        share: args.share.clone(),
        share_limits: ShareLimits::default(),
    })
}

fn names(args: &ServeSmbArgs, machine: Option<&Machine>) -> ServerNames {
    let (computer, domain) = match machine {
        Some(machine) => (machine.computer.as_str(), machine.domain.as_str()),
        None => {
            let name = args.name.as_deref().unwrap_or("NTLM");
            (name, name)
        }
    };
    let names = ServerNames::new(computer, domain);
    match &args.domain {
        Some(domain) => ServerNames {
            dns_computer: format!("{}.{domain}", computer.to_lowercase()).as_str().into(),
            dns_domain: domain.as_str().into(),
            dns_tree: domain.as_str().into(),
            ..names
        },
        None => names,
    }
}

/// Accounts that are here first, then those of the domain.
fn judge(args: &ServeSmbArgs, machine: Option<Machine>) -> Result<Judge, Failure> {
    let mut judges = Vec::new();
    if !args.accounts.is_empty() {
        let source = SecretArgs {
            secrets: args.accounts.clone(),
            code_page: args.code_page,
            ..SecretArgs::default()
        };
        let accounts = secrets::accounts(&source)?;
        judges.push(match &machine {
            Some(machine) => Judge::accounts_of(accounts, &machine.computer),
            None => Judge::accounts(accounts),
        });
    }
    if let Some(machine) = machine {
        judges.push(Judge::domain(domain::start(args, machine)?));
    }
    Ok(Judge::chain(judges))
}
