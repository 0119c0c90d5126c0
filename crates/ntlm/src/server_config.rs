//! What a server is set up with (MS-NLMP 3.2.1).

use crate::channel_bindings::ChannelBindings;
use crate::message::Version;
use crate::policy::ServerPolicy;
use crate::text::{CodePage, Utf16String};

/// What a server calls itself in TargetInfo. NetBIOS names must not be empty: Windows refuses a
/// CHALLENGE without them. A server outside a domain gives its own name for the domain's too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// MsvAvNbComputerName.
    pub nb_computer: Utf16String,
    /// MsvAvNbDomainName.
    pub nb_domain: Utf16String,
    /// MsvAvDnsComputerName; left out if empty.
    pub dns_computer: Utf16String,
    /// MsvAvDnsDomainName; left out if empty.
    pub dns_domain: Utf16String,
    /// MsvAvDnsTreeName; left out if empty.
    pub dns_tree: Utf16String,
}

impl ServerNames {
    /// NetBIOS names, and for DNS the same in place of better ones: impacket gives up on a
    /// CHALLENGE without MsvAvDnsComputerName.
    #[must_use]
    pub fn new(nb_computer: &str, nb_domain: &str) -> Self {
        Self {
            nb_computer: nb_computer.into(),
            nb_domain: nb_domain.into(),
            dns_computer: nb_computer.into(),
            dns_domain: nb_domain.into(),
            dns_tree: Utf16String::default(),
        }
    }
}

/// What a server is set up with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it is allowed.
    pub policy: ServerPolicy,
    /// What it calls itself.
    pub names: ServerNames,
    /// Whether it belongs to a domain: TargetName is then the domain's name.
    pub is_domain_joined: bool,
    /// What ties logons to the TLS channel around them.
    pub channel_bindings: Option<ChannelBindings>,
    /// Whether MsvAvTimestamp is sent, as MS-NLMP 2.2.2.1 asks. Without it, clients send no MIC.
    pub send_timestamp: bool,
    /// The code page for clients that have no Unicode.
    pub code_page: CodePage,
    /// What it says of itself, to clients that negotiate VERSION.
    pub version: Version,
}

impl ServerConfig {
    /// The default policy, and names of a server outside a domain.
    #[must_use]
    pub fn new(names: ServerNames) -> Self {
        Self {
            policy: ServerPolicy::default(),
            names,
            is_domain_joined: false,
            channel_bindings: None,
            send_timestamp: true,
            code_page: CodePage::Cp437,
            version: Version::OURS,
        }
    }
}
