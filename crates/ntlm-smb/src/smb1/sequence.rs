//! The sequence numbers of SMB1 signatures (MS-CIFS 3.1.5.1, 3.2.4.1.1, 3.3.4.1.1).

use super::header::{Command, Header};

/// Which number signs a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SequenceRule {
    /// Before a session activated signing.
    NotActive,
    /// The successful response of the SESSION_SETUP_ANDX that activates signing.
    Activation,
    /// A request, whether it has a response or not.
    Request,
    /// SMB_COM_NT_CANCEL.
    NtCancel,
    /// A response.
    Response,
    /// An oplock break.
    OplockBreak,
}

/// What the table says of a [`SequenceRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceRuleDoc {
    /// The rule, as in JSON.
    pub name: &'static str,
    /// To which messages it applies.
    pub condition: &'static str,
    /// The number; "none" for what is not signed.
    pub formula: &'static str,
    /// By how much the connection's counter goes on.
    pub advance: u32,
    /// Where it is specified.
    pub section: &'static str,
    /// Where documents disagree, or people go wrong.
    pub beware: Option<&'static str>,
}

impl SequenceRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [
        Self::NotActive,
        Self::Activation,
        Self::Request,
        Self::NtCancel,
        Self::Response,
        Self::OplockBreak,
    ];

    /// The number of the response that activates signing.
    pub const ACTIVATING_RESPONSE: u32 = 1;

    /// The rule for a message after signing was activated.
    #[must_use]
    pub fn choose(header: &Header) -> Self {
        if header.is_response() {
            Self::Response
        } else if header.command == Command::NT_CANCEL {
            Self::NtCancel
        } else if header.command == Command::LOCKING_ANDX && header.mid == u16::MAX {
            Self::OplockBreak
        } else {
            Self::Request
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> SequenceRuleDoc {
        match self {
            Self::NotActive => SequenceRuleDoc {
                name: "NotActive",
                condition: "NEGOTIATE; SESSION_SETUP_ANDX up to the one that activates signing, \
                            its request too; guest and anonymous sessions",
                formula: "none",
                advance: 0,
                section: "MS-SMB 3.2.4.2.4, 3.3.5.3",
                beware: Some(
                    "A client that can sign writes BSRSPYL in the place of the signature; servers \
                     ignore it and may echo it.",
                ),
            },
            Self::Activation => SequenceRuleDoc {
                name: "Activation",
                condition: "the first successful SESSION_SETUP_ANDX response of a connection for \
                            neither guest nor anonymous",
                formula: "1",
                advance: 2,
                section: "MS-CIFS 3.2.5.3; MS-SMB 3.3.5.3",
                beware: Some("Its request counts as 0, though unsigned: the next one is 2."),
            },
            Self::Request => SequenceRuleDoc {
                name: "Request",
                condition: "a request",
                formula: "the counter",
                advance: 2,
                section: "MS-CIFS 3.2.4.1.1",
                beware: Some("By 2 also where no response will come."),
            },
            Self::NtCancel => SequenceRuleDoc {
                name: "NtCancel",
                condition: "SMB_COM_NT_CANCEL",
                formula: "the counter",
                advance: 1,
                section: "MS-CIFS 3.2.4.1.1",
                beware: None,
            },
            Self::Response => SequenceRuleDoc {
                name: "Response",
                condition: "a response",
                formula: "the number of its request + 1",
                advance: 0,
                section: "MS-CIFS 3.3.4.1.1",
                beware: Some(
                    "Of its request by PID and MID: responses may come in another order, and one \
                     request may have several.",
                ),
            },
            Self::OplockBreak => SequenceRuleDoc {
                name: "OplockBreak",
                condition: "SMB_COM_LOCKING_ANDX from the server unasked",
                formula: "none",
                advance: 0,
                section: "MS-CIFS 3.3.4.1.1",
                beware: None,
            },
        }
    }
}

/// The numbers of one connection since signing was activated.
///
/// It remembers the last requests, as many as fit without allocating: more than servers grant.
#[derive(Clone, Debug)]
pub struct SequenceNumbers {
    next: u32,
    requests: [Option<Request>; Self::REMEMBERED],
    newest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    pid: u32,
    mid: u16,
    sequence_number: u32,
}

impl SequenceNumbers {
    /// How many requests are remembered. Windows and Samba grant 50 at a time.
    pub const REMEMBERED: usize = 128;

    /// After the response that activated signing.
    #[must_use]
    pub const fn activated() -> Self {
        Self { next: 2, requests: [None; Self::REMEMBERED], newest: 0 }
    }

    /// The number of the next request.
    #[must_use]
    pub const fn next_request(&self) -> u32 {
        self.next
    }

    /// The number of a message, in the order in which they went: requests move the counter on.
    ///
    /// `None` for what is not signed, and for the response to a request that nobody remembers.
    pub fn number(&mut self, header: &Header) -> Option<u32> {
        let rule = SequenceRule::choose(header);
        match rule {
            SequenceRule::Request | SequenceRule::NtCancel => {
                let number = self.next;
                self.request(header, rule, number);
                Some(number)
            }
            SequenceRule::Response => {
                let is_its =
                    |request: &&Request| (request.pid, request.mid) == (header.pid(), header.mid);
                let request = self.requests.iter().flatten().find(is_its)?;
                Some(request.sequence_number.wrapping_add(1))
            }
            SequenceRule::NotActive | SequenceRule::Activation | SequenceRule::OplockBreak => None,
        }
    }

    /// Goes on from a request whose number was found otherwise, after messages were lost.
    pub fn resume(&mut self, header: &Header, sequence_number: u32) {
        self.request(header, SequenceRule::choose(header), sequence_number);
    }

    fn request(&mut self, header: &Header, rule: SequenceRule, sequence_number: u32) {
        self.next = sequence_number.wrapping_add(rule.doc().advance);
        // A CANCEL has PID and MID of what it cancels, which is still to be answered.
        if rule != SequenceRule::Request {
            return;
        }
        let (pid, mid) = (header.pid(), header.mid);
        let request = Request { pid, mid, sequence_number };
        let same = |slot: &&mut Option<Request>| {
            slot.is_some_and(|other| (other.pid, other.mid) == (pid, mid))
        };
        if let Some(slot) = self.requests.iter_mut().find(same) {
            *slot = Some(request);
            return;
        }
        self.newest = (self.newest + 1) % Self::REMEMBERED;
        if let Some(slot) = self.requests.get_mut(self.newest) {
            *slot = Some(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb1::{Flags, Flags2};

    fn request(command: Command, mid: u16) -> Header {
        Header {
            command,
            status: 0,
            flags: Flags::empty(),
            flags2: Flags2::SECURITY_SIGNATURE,
            pid_high: 0,
            security_signature: [0; 8],
            reserved: 0,
            tid: 1,
            pid_low: 2,
            uid: 3,
            mid,
        }
    }

    fn response(command: Command, mid: u16) -> Header {
        Header { flags: Flags::REPLY, ..request(command, mid) }
    }

    #[test]
    fn requests_go_by_two_cancels_by_one() {
        let mut numbers = SequenceNumbers::activated();
        let mut number = |header| numbers.number(&header);
        assert_eq!(number(request(Command::TREE_CONNECT_ANDX, 1)), Some(2));
        assert_eq!(number(response(Command::TREE_CONNECT_ANDX, 1)), Some(3));
        assert_eq!(number(request(Command::READ_ANDX, 2)), Some(4));
        assert_eq!(number(request(Command::ECHO, 3)), Some(6));
        assert_eq!(number(request(Command::NT_CANCEL, 2)), Some(8));
        assert_eq!(number(request(Command::ECHO, 4)), Some(9));
        assert_eq!(number(response(Command::ECHO, 4)), Some(10));
        assert_eq!(number(response(Command::READ_ANDX, 2)), Some(5));
        assert_eq!(number(response(Command::ECHO, 3)), Some(7));
        assert_eq!(number(response(Command::ECHO, 3)), Some(7), "a second response");
        assert_eq!(number(request(Command::LOCKING_ANDX, u16::MAX)), None);
        assert_eq!(number(response(Command::ECHO, 9)), None);
        assert_eq!(number(request(Command::ECHO, 3)), Some(11));
        assert_eq!(number(response(Command::ECHO, 3)), Some(12));
    }

    #[test]
    fn the_counter_goes_on_where_it_was_found() {
        let mut numbers = SequenceNumbers::activated();
        numbers.resume(&request(Command::ECHO, 7), 40);
        assert_eq!(numbers.number(&response(Command::ECHO, 7)), Some(41));
        assert_eq!(numbers.next_request(), 42);
    }

    #[test]
    fn only_the_last_requests_are_remembered() {
        let mut numbers = SequenceNumbers::activated();
        for mid in 0..1000 {
            assert_eq!(numbers.number(&request(Command::ECHO, mid)), Some(2 + 2 * u32::from(mid)));
        }
        assert_eq!(numbers.number(&response(Command::ECHO, 999)), Some(2001));
        assert_eq!(numbers.number(&response(Command::ECHO, 872)), Some(1747));
        assert_eq!(numbers.number(&response(Command::ECHO, 871)), None);
    }
}
