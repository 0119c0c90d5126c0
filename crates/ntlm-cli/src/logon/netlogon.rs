//! `ntlm logon netlogon://`: client and server of NTLM here, the verdict from a domain controller.

mod advice;
mod report;

use super::{client_policy, credential, refuse};
use crate::args::LogonArgs;
use crate::failure::Failure;
use crate::host::Host;
use crate::{screen, secrets};
use ntlm::policy::{LmCompatibilityLevel, ServerPolicy};
use ntlm::{
    AccountName, Client, ClientConfig, LogonRequest, Protection, Server, ServerConfig, ServerNames,
};
use ntlm_net::netlogon::{
    ControllerName, Controllers, Domain, DomainLimits, DomainOptions, Machine, Transport,
};
use ntlm_net::smb;
use ntlm_netlogon::keys::Algorithms;
use report::Report;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn run(args: &LogonArgs) -> Result<ExitCode, Failure> {
    let controller = controller(&args.url)?;
    refuse_what_is_of_smb(args)?;
    let name = |name: &Option<String>, option: &str, example: &str| {
        let missing = || Failure::new(format!("netlogon:// needs {option}, such as {example}"));
        name.clone().ok_or_else(missing)
    };
    let account = name(&args.machine, "--machine", r"--machine 'CORP\MEMBER1$'")?;
    let user = AccountName::parse(&name(&args.user, "--user", r"--user 'CORP\alice'")?);
    let machine = secrets::machine(&args.secrets, &account)?;
    let machine = Machine::new(&account, machine);
    let machine = machine.map_err(|why| Failure::new(format!("--machine: {why}")))?;
    let request = request(args, &user, &machine)?;
    let mut report = Report::new(args, &user, &controller, &request);
    let options = options(args, controller, machine);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("runtime", &error))?;
    let verdict = runtime.block_on(async { Domain::start(options).judge(request).await });
    // A name that is still being looked up must not keep the program.
    runtime.shutdown_background();
    report.judged(verdict);
    screen::print(&if args.json { report.json()? } else { report.text(screen::layout()) })?;
    Ok(report.exit_code())
}

fn controller(url: &str) -> Result<ControllerName, Failure> {
    let host = url.strip_prefix("netlogon://").unwrap_or_default().trim_end_matches('/');
    let Host { host, port } = host.parse().map_err(|why| {
        Failure::new(format!("URL: {why}; one looks like netlogon://controller[:port]"))
    })?;
    Ok(ControllerName { host, port })
}

fn refuse_what_is_of_smb(args: &LogonArgs) -> Result<(), Failure> {
    let given = [
        (args.sign, "--sign"),
        (args.encrypt, "--encrypt"),
        (!args.signing_algorithm.is_empty(), "--signing-algorithm"),
        (!args.cipher.is_empty(), "--cipher"),
        (args.multi_protocol, "--multi-protocol"),
        (args.netbios, "--netbios"),
        (args.insecure_allow_guest, "--insecure-allow-guest"),
        (args.insecure_bare_session_setup, "--insecure-bare-session-setup"),
        (args.write_capture.is_some(), "--write-capture"),
    ];
    refuse(&given, "netlogon://")
}

/// What a server in the machine's place would have to pass on.
fn request(
    args: &LogonArgs,
    user: &AccountName,
    machine: &Machine,
) -> Result<LogonRequest, Failure> {
    let credential = credential(args, user)?;
    let fresh = || ntlm_net::fresh().map_err(|error| Failure::io("random bytes", &error));
    let config = ClientConfig {
        policy: client_policy(args)?,
        protection: Protection::Sign,
        workstation: args.workstation.as_str().into(),
        target_name: Some(format!("cifs/{}", machine.computer).as_str().into()),
        code_page: args.code_page.into(),
        ..ClientConfig::default()
    };
    // What the user asked the client to send, the server takes.
    let policy = match args.insecure_level {
        Some(_) => ServerPolicy::at_level(LmCompatibilityLevel::InsecureLevel0),
        None => ServerPolicy::default(),
    };
    let names = ServerNames::new(&machine.computer, &machine.domain);
    let server = ServerConfig {
        policy,
        is_domain_joined: true,
        code_page: args.code_page.into(),
        ..ServerConfig::new(names)
    };
    let server = Server::new(server).map_err(|why| Failure::new(format!("--machine: {why}")))?;
    let (negotiate, client) = Client::start(config);
    let failed = |what: &str, why: &dyn std::fmt::Display| Failure::new(format!("{what}: {why}"));
    let challenged = server.challenge(&negotiate, fresh()?);
    let (challenge, server) = challenged.map_err(|why| failed("server", &why))?;
    let responded = client.respond(&challenge, &credential, fresh()?);
    let (authenticate, _) = responded.map_err(|why| failed("client", &why))?;
    let request = server.receive(&authenticate, fresh()?.now);
    request.map_err(|why| failed("server", &why))
}

fn options(args: &LogonArgs, controller: ControllerName, machine: Machine) -> DomainOptions {
    let limit = Duration::from_secs(args.timeout.into());
    // Longer than all steps together, so that it is a step that says what took too long.
    let logon = limit * 2 + Duration::from_secs(1);
    let transport = if args.pipe {
        let limits = smb::Limits { connect: limit, response: limit, ..smb::Limits::default() };
        let client = ntlm_smb::client::ClientConfig {
            dialects: args.dialect.0,
            ..ntlm_smb::client::ClientConfig::default()
        };
        Transport::Pipe(Box::new(smb::Options { client, limits, ..smb::Options::default() }))
    } else {
        Transport::Tcp
    };
    let limits = DomainLimits {
        connections: 1,
        logon,
        step: limit,
        sends: 1,
        // Nobody waits here for a controller that comes back.
        back_off: logon,
        ..DomainLimits::default()
    };
    let algorithms =
        if args.insecure_rc4 { Algorithms::InsecureRc4Md5 } else { Algorithms::AesSha2 };
    let controllers = Controllers::Named(vec![controller]);
    DomainOptions { controllers, machine, transport, algorithms, limits }
}
