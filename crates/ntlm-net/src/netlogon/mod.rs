//! Domain controllers that judge logons, over Netlogon's secure channel (MS-APDS, MS-NRPC).

mod connection;
mod controllers;
#[cfg(feature = "dns")]
mod dns;
mod domain;
mod error;
mod kept;
mod options;
mod set_up;
mod worker;

pub use controllers::{ControllerName, Controllers};
#[cfg(feature = "dns")]
pub use dns::Dns;
pub use domain::{Domain, Verdict};
pub use error::{ControllerError, NotJudged, Unusable};
pub use kept::Via;
pub use options::{DomainLimits, DomainOptions, Machine, NoMachine, Transport};
