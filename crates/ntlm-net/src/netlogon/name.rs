//! What a controller is called.

use std::fmt;

/// A domain controller: its name or address, and perhaps the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ControllerName {
    /// Name or address. Windows wants a name that is the controller's own.
    pub host: String,
    /// Of Netlogon over TCP, which otherwise the endpoint mapper tells; or of SMB, where the pipe is
    /// used.
    pub port: Option<u16>,
}

impl fmt::Display for ControllerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}
