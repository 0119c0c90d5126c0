//! `ntlm logon smb://`.

mod advice;
mod report;
mod url;

use super::{client_policy, credential, refuse};
use crate::args::{LogonArgs, Signing, SmbCipher, or_default};
use crate::failure::Failure;
use crate::screen;
use ntlm::{ClientConfig as NtlmConfig, Credential};
use ntlm_capture::{Direction, Endpoints, FlowId, StreamWriter, Timestamp};
use ntlm_net::smb::{Client, Error, Limits, Options, Record, Recorded, Who};
use ntlm_smb::client::ClientConfig;
use ntlm_smb::{Cipher, SigningAlgorithm, Transport};
use report::Report;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};
use url::Url;

pub(super) fn run(args: &LogonArgs) -> Result<ExitCode, Failure> {
    let url = Url::parse(&args.url).map_err(Failure::new)?;
    refuse_what_is_of_netlogon(args)?;
    let credential = url.name.as_ref().map(|name| credential(args, name)).transpose()?;
    let record = Record::default();
    let options = options(args, &url, &record)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("runtime", &error))?;
    let outcome = runtime.block_on(log_on(&url, options, credential.as_ref(), args));
    // A name that is still being looked up must not keep the program.
    runtime.shutdown_background();
    if let Some(file) = &args.write_capture {
        write_capture(file, &record.take())?;
    }
    let report = match outcome {
        Ok(report) => report,
        Err(Stopped::NoServer(why)) => return Err(Failure::new(why)),
        Err(Stopped::Refused(report)) => *report,
    };
    screen::print(&if args.json { report.json()? } else { report.text(screen::layout()) })?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn refuse_what_is_of_netlogon(args: &LogonArgs) -> Result<(), Failure> {
    let given = [
        (args.machine.is_some(), "--machine"),
        (args.user.is_some(), "--user"),
        (!args.workstation.is_empty(), "--workstation"),
        (args.pipe, "--pipe"),
        (args.insecure_rc4, "--insecure-rc4"),
    ];
    refuse(&given, "smb://")
}

/// Why there is no session.
enum Stopped {
    /// Nobody answers.
    NoServer(String),
    /// Somebody does.
    Refused(Box<Report>),
}

async fn log_on(
    url: &Url,
    options: Options,
    credential: Option<&Credential>,
    args: &LogonArgs,
) -> Result<Report, Stopped> {
    let addresses = resolve(url, options.limits.connect).await.map_err(Stopped::NoServer)?;
    let mut report = Report::new(url, args);
    let mut client = connect(&addresses, &options, &mut report).await?;
    let result = use_server(&mut client, url, credential, &mut report).await;
    report.negotiated(&client);
    match result {
        Ok(()) => Ok(report),
        Err((step, error)) => {
            report.fail(step, &error);
            if error.is_refusal() && client.logon().is_some() {
                // Only manners: the server ends the session anyway.
                let _ = client.log_off().await;
            }
            Err(Stopped::Refused(Box::new(report)))
        }
    }
}

/// The first address that takes a connection.
async fn connect(
    addresses: &[SocketAddr],
    options: &Options,
    report: &mut Report,
) -> Result<Client, Stopped> {
    let mut why = String::from("the host has no address");
    for address in addresses {
        report.address = Some(*address);
        match Client::connect(*address, options.clone()).await {
            Ok(client) => return Ok(client),
            Err(error @ (Error::Io("connect", _) | Error::TimedOut("connect", _))) => {
                why = format!("{address}: {error}");
            }
            Err(error) => {
                report.fail("negotiate", &error);
                return Err(Stopped::Refused(Box::new(std::mem::take(report))));
            }
        }
    }
    Err(Stopped::NoServer(why))
}

async fn resolve(url: &Url, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let looking = tokio::net::lookup_host((url.host.as_str(), url.port));
    match tokio::time::timeout(limit, looking).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(format!("{}: {error}", url.host)),
        Err(_) => Err(format!("{}: no address within {} s", url.host, limit.as_secs())),
    }
}

async fn use_server(
    client: &mut Client,
    url: &Url,
    credential: Option<&Credential>,
    report: &mut Report,
) -> Result<(), (&'static str, Error)> {
    let who = credential.map_or(Who::Anonymous, Who::Account);
    client.log_on(who).await.map_err(|error| ("log on", error))?;
    report.logged_on(client);
    let path = format!(r"\\{}\{}", url.host, url.share);
    let tree = client.tree_connect(&path).await.map_err(|error| ("share", error))?;
    report.share_is_used(client, &tree);
    client.echo().await.map_err(|error| ("echo", error))?;
    report.echoed();
    client.tree_disconnect(tree).await.map_err(|error| ("share", error))?;
    client.log_off().await.map_err(|error| ("log off", error))
}

fn options(args: &LogonArgs, url: &Url, record: &Record) -> Result<Options, Failure> {
    let ntlm = NtlmConfig {
        policy: client_policy(args)?,
        target_name: Some(format!("cifs/{}", url.host).as_str().into()),
        code_page: args.code_page.into(),
        ..NtlmConfig::default()
    };
    let defaults = ClientConfig::default();
    let client = ClientConfig {
        dialects: args.dialect.0,
        multi_protocol: args.multi_protocol,
        signing_algorithms: or_default(&args.signing_algorithm, defaults.signing_algorithms),
        ciphers: or_default(&args.cipher, defaults.ciphers),
        require_signing: args.sign,
        require_encryption: args.encrypt,
        server_name: url.host.as_str().into(),
        ntlm,
        insecure_allow_guest: args.insecure_allow_guest,
        insecure_bare_session_setup: args.insecure_bare_session_setup,
        keep_keys: args.show_keys,
    };
    let limit = Duration::from_secs(args.timeout.into());
    let limits = Limits { connect: limit, response: limit, ..Limits::default() };
    let netbios = args.netbios || url.port == 139;
    let transport = if netbios { Transport::NetBios } else { Transport::DirectTcp };
    let record = args.write_capture.as_ref().map(|_| record.clone());
    Ok(Options { client, transport, client_guid: None, limits, record })
}

impl From<Signing> for SigningAlgorithm {
    fn from(algorithm: Signing) -> Self {
        match algorithm {
            Signing::HmacSha256 => Self::HmacSha256,
            Signing::AesCmac => Self::AesCmac,
            Signing::AesGmac => Self::AesGmac,
        }
    }
}

impl From<SmbCipher> for Cipher {
    fn from(cipher: SmbCipher) -> Self {
        match cipher {
            SmbCipher::Aes128Ccm => Self::Aes128Ccm,
            SmbCipher::Aes128Gcm => Self::Aes128Gcm,
            SmbCipher::Aes256Ccm => Self::Aes256Ccm,
            SmbCipher::Aes256Gcm => Self::Aes256Gcm,
        }
    }
}

/// What was sent and received, as a capture that appears once it is whole.
fn write_capture(path: &Path, recorded: &Recorded) -> Result<(), Failure> {
    let label = path.display().to_string();
    let io = |error: std::io::Error| Failure::io(&label, &error);
    let Some((client, server)) = recorded.endpoints else {
        return Err(Failure::new(format!("{label}: there was no connection to be written")));
    };
    let endpoints = Endpoints { client, server, guessed: false };
    let mut writer = StreamWriter::new(screen::Pending::create(path)?).map_err(io)?;
    for frame in &recorded.frames {
        let direction =
            if frame.from_client { Direction::ClientToServer } else { Direction::ServerToClient };
        let since = frame.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let flow = FlowId::default();
        writer.message(flow, endpoints, direction, Some(time), &frame.bytes, None).map_err(io)?;
    }
    writer.finish().map_err(io)?.finish()?;
    if recorded.is_cut {
        let _ = writeln!(anstream::stderr(), "ntlm: {label}: more was sent than is kept");
    }
    Ok(())
}
