//! What to try where there is no verdict, or not the one that was hoped for.

use ntlm_net::netlogon::{ControllerError, NotJudged, Unusable};
use ntlm_net::smb;
use ntlm_netlogon::NtStatus;
use ntlm_netlogon::client::ChannelError;
use ntlm_netlogon::logon::{Failure, Refusal};

pub(super) const fn on_refusal(refusal: Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::WrongPassword => {
            "The controller computes another response. The password is wrong; or the name was sent in \
             another spelling than the response was computed with; or, with NTLMv1 and extended \
             session security, somebody passes on the challenge that the client saw."
        }
        Refusal::NoSuchUser => "Check the name, and its domain: --user 'DOMAIN\\user'.",
        Refusal::LogonFailure => {
            "Name or password are wrong, or the response names another computer or domain than the \
             one whose channel this is."
        }
        Refusal::AccountRestriction => {
            "The account may not log on this way, as a member of Protected Users may not by NTLM."
        }
        Refusal::NtlmBlocked => "The domain does not allow NTLM, or not for this account.",
        Refusal::InvalidWorkstation => "The account may log on from certain workstations only.",
        Refusal::PasswordExpired | Refusal::PasswordMustChange => {
            "The password is right, and has to be changed first."
        }
        _ => return None,
    })
}

pub(super) fn on_no_verdict(why: &NotJudged) -> Option<&'static str> {
    match why {
        NotJudged::NoController(unusable) | NotJudged::TimedOut(Some(unusable)) => {
            let Unusable { error, .. } = unusable;
            on_error(error)
        }
        NotJudged::Undecided(_, Failure::TimeSkew) => {
            Some("Set the clocks right: the response has the client's time in it.")
        }
        NotJudged::Undecided(_, Failure::NoLogonServers) => {
            Some("The account is of another domain, whose controllers this one does not reach.")
        }
        NotJudged::Undecided(_, Failure::Trust(_)) => Some(
            "The machine's account or a trust between domains is broken: join the domain again.",
        ),
        _ => None,
    }
}

fn on_error(error: &ControllerError) -> Option<&'static str> {
    Some(match error {
        ControllerError::LeftAlone(error) => return on_error(error),
        ControllerError::Channel(error) => return on_channel(error),
        ControllerError::Io("connect", _) | ControllerError::TimedOut(_) => {
            "Nobody answers there. The endpoint mapper is at TCP port 135, Netlogon at a port that it \
             tells; behind a firewall try --pipe, which needs 445 only."
        }
        ControllerError::Smb(error)
            if matches!(**error, smb::Error::Io("connect", _) | smb::Error::TimedOut(..)) =>
        {
            "Nobody answers there. SMB, which the pipe is inside, is at TCP port 445."
        }
        ControllerError::NotMapped(_) => {
            "This is no domain controller, or one that offers Netlogon by the named pipe: try --pipe."
        }
        _ => return None,
    })
}

fn on_channel(error: &ChannelError) -> Option<&'static str> {
    Some(match error {
        ChannelError::Refused(NtStatus::ACCESS_DENIED) => {
            "The password of the machine's account is wrong, or the account is none of a member."
        }
        ChannelError::Refused(NtStatus::NO_TRUST_SAM_ACCOUNT) => {
            "There is no such machine account in the domain."
        }
        ChannelError::Refused(NtStatus::DOWNGRADE_DETECTED) => {
            "The controller insists on AES: leave --insecure-rc4 out."
        }
        ChannelError::NotNegotiated("AES") => {
            "The controller has no AES, or somebody between took it out. --insecure-rc4 does without."
        }
        ChannelError::Downgraded(_) => "Somebody between changed the flags.",
        _ => return None,
    })
}
