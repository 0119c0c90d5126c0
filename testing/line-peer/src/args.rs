//! The options of the Python peers.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// NTLM client or server behind the line protocol of testing/peers.
#[derive(Debug, Parser)]
#[command(name = "ntlm-line-peer")]
pub(crate) struct Args {
    /// Which end to be
    pub(crate) role: Role,
    /// Raw NTLM tokens, or NTLM inside SPNEGO
    #[arg(long, value_enum, default_value_t = Protocol::Ntlm)]
    pub(crate) protocol: Protocol,
    /// Client: account name
    #[arg(long, default_value = "")]
    pub(crate) user: String,
    /// Client: domain, may be empty
    #[arg(long, default_value = "")]
    pub(crate) domain: String,
    /// Client: password
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// Client: NT hash in hex, instead of a password
    #[arg(long)]
    pub(crate) nthash: Option<String>,
    /// Negotiate client: offer Kerberos, and prefer it
    #[arg(long)]
    pub(crate) prefer_kerberos: bool,
    /// Negotiate server: ask for a mechListMIC (request-mic)
    #[arg(long)]
    pub(crate) request_mic: bool,
    /// Server: account file, DOMAIN:user:password or smbpasswd lines
    #[arg(long)]
    pub(crate) users: Option<PathBuf>,
    /// Service class of the target name
    #[arg(long, default_value = "HTTP")]
    pub(crate) service: String,
    /// Host of the target name
    #[arg(long, default_value = "server.example.com")]
    pub(crate) host: String,
    /// Client: put SERVICE/HOST into the target name
    #[arg(long)]
    pub(crate) spn: bool,
    /// Channel bindings: the application data in hex
    #[arg(long)]
    pub(crate) cb: Option<String>,
    /// Server: refuse clients without the right channel bindings
    #[arg(long)]
    pub(crate) require_cb: bool,
    /// Comma list of sign, seal, none and others
    #[arg(long, default_value = "sign,seal")]
    pub(crate) flags: String,
    /// LM compatibility level 0..5
    #[arg(long)]
    pub(crate) lm: Option<u8>,
    /// NetBIOS computer name to announce
    #[arg(long, default_value = "RUSTPEER")]
    pub(crate) computer: String,
    /// NetBIOS domain name to announce
    #[arg(long, default_value = "EXAMPLE")]
    pub(crate) nbdomain: String,
    /// Binary values in hex, not base64
    #[arg(long)]
    pub(crate) hex: bool,
}

/// Which end to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Client,
    Server,
}

/// How tokens are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    Ntlm,
    Negotiate,
}
