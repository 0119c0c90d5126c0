//! A host on the command line: a name or address, and perhaps a port.

use std::str::FromStr;

/// `host[:port]`, where an IPv6 address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl FromStr for Host {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, behind) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or("a bracket is missing")?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match behind.strip_prefix(':') {
            None if behind.is_empty() => None,
            None => return Err("expected host[:port]"),
            Some(port) => Some(port.parse().ok().filter(|port| *port != 0).ok_or("a bad port")?),
        };
        if host.is_empty() {
            return Err("no host");
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_have_a_port() {
        let host = |host: &str, port| Ok(Host { host: host.to_owned(), port });
        assert_eq!("dc1".parse(), host("dc1", None));
        assert_eq!("dc1.corp.example:49153".parse(), host("dc1.corp.example", Some(49153)));
        assert_eq!("[::1]:445".parse(), host("::1", Some(445)));
        assert_eq!("[::1]".parse(), host("::1", None));
        for bad in ["", ":445", "dc1:", "dc1:0", "dc1:x", "::1", "[::1", "[::1]x", "dc1:65536"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
