//! Domain controllers that judge logons, over Netlogon's secure channel (MS-APDS, MS-NRPC).

mod back_off;
mod channel;
mod channels;
mod connection;
mod controllers;
#[cfg(feature = "dns")]
mod dns;
mod domain;
mod error;
mod machine;
mod name;
mod options;
mod set_up;
mod verdict;
mod worker;

pub use controllers::Controllers;
#[cfg(feature = "dns")]
pub use dns::Dns;
pub use domain::Domain;
pub use error::{ControllerError, NotJudged, Unusable};
pub use machine::{Machine, NoMachine};
pub use name::ControllerName;
pub use options::{DomainLimits, DomainOptions, Transport};
pub use verdict::{Verdict, Via};
