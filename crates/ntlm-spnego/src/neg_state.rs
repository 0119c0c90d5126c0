//! Where a negotiation stands (RFC 4178 4.2.2).

use core::fmt;

/// `negState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NegState {
    /// `accept-completed`: done, and nothing more is expected.
    AcceptCompleted,
    /// `accept-incomplete`: another token is expected.
    AcceptIncomplete,
    /// `reject`.
    Reject,
    /// `request-mic`: as `accept-incomplete`, and a mechListMIC will be required. In the acceptor's
    /// first reply only.
    RequestMic,
}

impl NegState {
    /// Its number in the `ENUMERATED`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::AcceptCompleted => 0,
            Self::AcceptIncomplete => 1,
            Self::Reject => 2,
            Self::RequestMic => 3,
        }
    }

    /// The state of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AcceptCompleted),
            1 => Some(Self::AcceptIncomplete),
            2 => Some(Self::Reject),
            3 => Some(Self::RequestMic),
            _ => None,
        }
    }
}

impl fmt::Display for NegState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcceptCompleted => "accept-completed",
            Self::AcceptIncomplete => "accept-incomplete",
            Self::Reject => "reject",
            Self::RequestMic => "request-mic",
        })
    }
}
