//! The contestants: whatever is measured, each does through the same functions.

pub mod clock;
mod ours;
mod theirs;

pub use ours::Ours;
pub use theirs::Sspi;

/// Who logs on, with both contestants.
pub const USER: &str = "Username";
/// The account's domain.
pub const DOMAIN: &str = "Domain";
/// The account's password.
pub const PASSWORD: &str = "Password-2026";
/// The client's own name.
pub const WORKSTATION: &str = "WORKSTATION";

/// One implementation of both ends. Sign and seal are negotiated, with 128 bits, extended session
/// security and key exchange; everything starts from the password.
pub trait Contestant {
    /// An established end.
    type End;
    /// A server that has sent CHALLENGE.
    type Challenged;

    /// What it is called, with its version.
    const NAME: &str;

    /// The client from nothing to established; `challenge` makes CHALLENGE of NEGOTIATE.
    /// Returns AUTHENTICATE too.
    fn client(challenge: impl FnOnce(&[u8]) -> Vec<u8>) -> (Self::End, Vec<u8>);

    /// The server's first half: NEGOTIATE in, CHALLENGE out.
    fn challenge(negotiate: &[u8]) -> (Self::Challenged, Vec<u8>);

    /// The server's second half: AUTHENTICATE in, established.
    fn accept(challenged: Self::Challenged, authenticate: &[u8]) -> Self::End;

    /// Signs the message of that number.
    fn sign(end: &mut Self::End, number: u32, message: &mut [u8]) -> [u8; 16];

    /// Verifies the message of that number.
    fn verify(end: &mut Self::End, number: u32, message: &mut [u8], signature: &mut [u8; 16]);

    /// Seals the next message.
    fn seal(end: &mut Self::End, message: &mut [u8]) -> [u8; 16];

    /// Unseals the next message.
    fn unseal(end: &mut Self::End, message: &mut [u8], signature: &mut [u8; 16]);

    /// Both ends, client first.
    fn handshake() -> (Self::End, Self::End) {
        let mut waiting = None;
        let (client, authenticate) = Self::client(|negotiate| {
            let (challenged, challenge) = Self::challenge(negotiate);
            waiting = Some(challenged);
            challenge
        });
        let challenged = waiting.expect("the client asks for a challenge");
        (client, Self::accept(challenged, &authenticate))
    }

    /// Both ends, and a short message sealed and unsealed each way: then every key has been derived
    /// with either contestant.
    fn handshake_and_messages() {
        let (mut client, mut server) = Self::handshake();
        let mut message = *b"sixteen bytes!!!";
        let mut signature = Self::seal(&mut client, &mut message);
        Self::unseal(&mut server, &mut message, &mut signature);
        let mut signature = Self::seal(&mut server, &mut message);
        Self::unseal(&mut client, &mut message, &mut signature);
        assert_eq!(&message, b"sixteen bytes!!!");
    }
}

/// A server that has sent CHALLENGE, and all messages of the exchange.
pub struct Waiting<C: Contestant> {
    /// NEGOTIATE.
    pub negotiate: Vec<u8>,
    /// CHALLENGE.
    pub challenge: Vec<u8>,
    /// The server.
    pub challenged: C::Challenged,
    /// AUTHENTICATE.
    pub authenticate: Vec<u8>,
}

impl<C: Contestant> Waiting<C> {
    /// Runs an exchange up to the last message, which is not delivered.
    pub fn new() -> Self {
        let mut so_far = None;
        let (_, authenticate) = C::client(|negotiate| {
            let (challenged, challenge) = C::challenge(negotiate);
            so_far = Some((negotiate.to_vec(), challenge.clone(), challenged));
            challenge
        });
        let (negotiate, challenge, challenged) = so_far.expect("the client asks for a challenge");
        Self { negotiate, challenge, challenged, authenticate }
    }
}

impl<C: Contestant> Default for Waiting<C> {
    fn default() -> Self {
        Self::new()
    }
}
