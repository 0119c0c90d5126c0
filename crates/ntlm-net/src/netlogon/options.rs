//! What a domain is set up with.

use super::controllers::Controllers;
use super::machine::Machine;
use crate::smb;
use ntlm_netlogon::keys::Algorithms;
use std::time::Duration;

/// What a domain is set up with.
#[derive(Debug)]
pub struct DomainOptions {
    /// Who judges.
    pub controllers: Controllers,
    /// As whom they are asked.
    pub machine: Machine,
    /// How they are reached.
    pub transport: Transport,
    /// What protects the channel. A controller that does not have it is not used.
    pub algorithms: Algorithms,
    /// What it may cost.
    pub limits: DomainLimits,
}

/// How a controller is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// ncacn_ip_tcp: the endpoint mapper tells the port.
    Tcp,
    /// ncacn_np: the pipe of Netlogon, in a signed session of the machine.
    Pipe(Box<smb::Options>),
}

/// What asking a domain may cost.
#[derive(Clone, Copy, Debug)]
pub struct DomainLimits {
    /// How many associations there are, each with one call at a time.
    pub connections: usize,
    /// How many logons may wait for their turn.
    pub waiting: usize,
    /// How long a logon may take, waiting and all.
    pub logon: Duration,
    /// How long setting a channel up at one address may take, or one call.
    pub step: Duration,
    /// How often one logon is sent at most, where answers do not come. A controller may count each as
    /// an attempt.
    pub sends: u32,
    /// How many logons in a row may fail before their controller is held to be at fault.
    pub strikes: u32,
    /// How many controllers are tried in one go.
    pub controllers_at_once: usize,
    /// How long a channel is used before it gets a new key.
    pub rekey: Duration,
    /// How long an association may lie idle before it is given up.
    pub idle: Duration,
    /// How long a controller that failed is left alone, the first time; then twice as long each.
    pub back_off: Duration,
    /// How long at most.
    pub back_off_most: Duration,
    /// How old a channel must be for another to be set up at once where the controller does not know
    /// it any more; losing a younger one counts as a failure of the controller.
    pub lost_too_soon: Duration,
}

impl Default for DomainLimits {
    fn default() -> Self {
        Self {
            connections: 4,
            waiting: 1024,
            logon: Duration::from_secs(15),
            step: Duration::from_secs(5),
            sends: 2,
            strikes: 3,
            controllers_at_once: 8,
            rekey: Duration::from_secs(8 * 60 * 60),
            idle: Duration::from_secs(5 * 60),
            back_off: Duration::from_millis(500),
            back_off_most: Duration::from_secs(60),
            lost_too_soon: Duration::from_secs(45),
        }
    }
}
