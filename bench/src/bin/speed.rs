//! How long each contestant takes, in one process and in turn within each round.

use ntlm::message::{AuthenticateMessage, ChallengeMessage, Message, NegotiateMessage};
use ntlm_bench::clock::{figure, ratio, repeat, rounds, timed};
use ntlm_bench::{Contestant, Ours, Sspi, Waiting};
use std::hint::black_box;
use std::time::Duration;

/// How often everything is measured, unless `--rounds` says otherwise.
const ROUNDS: usize = 51;

/// Handshakes in one measurement.
const HANDSHAKES: u32 = 64;

/// Bytes that one measurement of sign or seal goes through: many short messages, or a long one.
const BYTES: usize = 1 << 20;

/// The most messages in one measurement.
const MESSAGES: usize = 1024;

const SIZES: [(usize, &str); 5] = [
    (64, "64 B"),
    (1 << 10, "1 KiB"),
    (16 << 10, "16 KiB"),
    (64 << 10, "64 KiB"),
    (1 << 20, "1 MiB"),
];

fn main() {
    let rounds = rounds(ROUNDS);
    println!("{rounds} rounds, the contestants in turn within each. A figure is the median of the");
    println!(
        "rounds; in brackets, how far off in time the fastest and the slowest were. The ratio"
    );
    println!("is the median of the ratios of the rounds: above 1, {} is faster.", Ours::NAME);
    println!("Whatever else the machine does disturbs figures more than ratios: quote ratios, and");
    println!("only from one run.\n");
    lengths::<Ours>();
    lengths::<Sspi>();
    println!("\n| | {} | {} | ratio |\n|---|---|---|---|", Ours::NAME, Sspi::NAME);
    handshakes(rounds);
    for (size, name) in SIZES {
        messages(rounds, size, name);
    }
    decoding(rounds);
    println!("{}", NOTES.trim_end());
}

/// Where a row is not the same work for both.
const NOTES: &str = "
(a) sspi derives all signing and sealing keys at once, ntlm when a message is first protected:
    in the first row both have derived them all.
(b) ntlm also computes the LM hash that comes with a password, its server compares NTProofStr and
    the AV_PAIRs that came back beside the MIC, and its AUTHENTICATE is longer.
(c) sspi copies the message, once to sign and several times to seal; ntlm works in place.
";

fn lengths<C: Contestant>() {
    let Waiting { negotiate, challenge, authenticate, .. } = Waiting::<C>::new();
    let lengths = [negotiate.len(), challenge.len(), authenticate.len()];
    println!("{}: messages of {lengths:?} bytes", C::NAME);
}

fn handshakes(rounds: usize) {
    compare(
        "handshake, a sealed message each way (b)",
        rounds,
        || timed(|| repeat(HANDSHAKES, Ours::handshake_and_messages)),
        || timed(|| repeat(HANDSHAKES, Sspi::handshake_and_messages)),
    );
    compare(
        "handshake (a, b)",
        rounds,
        || timed(|| repeat(HANDSHAKES, Ours::handshake)),
        || timed(|| repeat(HANDSHAKES, Sspi::handshake)),
    );
    // One and the same CHALLENGE for both.
    let challenge = Waiting::<Ours>::new().challenge;
    let (ours, theirs) = (|| client::<Ours>(&challenge), || client::<Sspi>(&challenge));
    compare("client only (a, b)", rounds, ours, theirs);
    compare("server only (a, b)", rounds, server::<Ours>, server::<Sspi>);
}

fn client<C: Contestant>(challenge: &[u8]) -> Duration {
    timed(|| repeat(HANDSHAKES, || C::client(|_| challenge.to_vec())))
}

/// Both halves of the server; what the client does in between is not counted.
fn server<C: Contestant>() -> Duration {
    let waiting: Vec<_> = (0..HANDSHAKES).map(|_| Waiting::<C>::new()).collect();
    timed(|| {
        for Waiting { negotiate, challenged, authenticate, .. } in waiting {
            black_box(C::challenge(&negotiate));
            black_box(C::accept(challenged, &authenticate));
        }
    })
}

/// The messages of one measurement, and the two ends that pass them.
struct Traffic<C: Contestant> {
    ends: (C::End, C::End),
    messages: Vec<Vec<u8>>,
    signatures: Vec<[u8; 16]>,
    number: u32,
}

impl<C: Contestant> Traffic<C> {
    fn new(size: usize) -> Self {
        let count = (BYTES / size).clamp(1, MESSAGES);
        let messages = (0..count).map(|at| vec![at as u8; size]).collect();
        Self { ends: C::handshake(), messages, signatures: vec![[0; 16]; count], number: 0 }
    }

    fn sign_and_verify(&mut self) -> [Duration; 2] {
        let (sender, receiver) = &mut self.ends;
        let numbers = self.number..;
        let sign = timed(|| {
            let messages = self.messages.iter_mut().zip(&mut self.signatures).zip(numbers.clone());
            for ((message, signature), number) in messages {
                *signature = C::sign(sender, number, message);
            }
        });
        let verify = timed(|| {
            let messages = self.messages.iter_mut().zip(&mut self.signatures).zip(numbers);
            for ((message, signature), number) in messages {
                C::verify(receiver, number, message, signature);
            }
        });
        self.number += self.messages.len() as u32;
        [sign, verify]
    }

    fn seal_and_unseal(&mut self) -> [Duration; 2] {
        let (sender, receiver) = &mut self.ends;
        let seal = timed(|| {
            for (message, signature) in self.messages.iter_mut().zip(&mut self.signatures) {
                *signature = C::seal(sender, message);
            }
        });
        let unseal = timed(|| {
            for (message, signature) in self.messages.iter_mut().zip(&mut self.signatures) {
                C::unseal(receiver, message, signature);
            }
        });
        [seal, unseal]
    }
}

fn messages(rounds: usize, size: usize, name: &str) {
    // Signing and sealing advance the numbers differently, so each has its own session.
    let (mut signed, mut signed_theirs) = (Traffic::<Ours>::new(size), Traffic::<Sspi>::new(size));
    let (mut sealed, mut sealed_theirs) = (Traffic::<Ours>::new(size), Traffic::<Sspi>::new(size));
    let mut times: [[Vec<Duration>; 2]; 4] = Default::default();
    for round in 0..=rounds {
        let ours = [signed.sign_and_verify(), sealed.seal_and_unseal()];
        let theirs = [signed_theirs.sign_and_verify(), sealed_theirs.seal_and_unseal()];
        // The first round derives the keys and warms the caches.
        if round > 0 {
            let both = ours.as_flattened().iter().zip(theirs.as_flattened());
            for (row, (ours, theirs)) in times.iter_mut().zip(both) {
                row[0].push(*ours);
                row[1].push(*theirs);
            }
        }
    }
    let count = signed.messages.len() as u32;
    for (what, times) in ["sign", "verify", "seal", "unseal"].iter().zip(times) {
        print_row(&format!("{what} {name} (c)"), count, Some(size), times);
    }
}

fn decoding(rounds: usize) {
    const TIMES: u32 = 1000;
    let Waiting { negotiate, challenge, authenticate, .. } = Waiting::<Ours>::new();
    let decode: [(&str, &dyn Fn()); 3] = [
        ("decode NEGOTIATE", &|| drop(black_box(NegotiateMessage::decode(black_box(&negotiate))))),
        ("decode CHALLENGE", &|| drop(black_box(ChallengeMessage::decode(black_box(&challenge))))),
        ("decode AUTHENTICATE", &|| {
            drop(black_box(AuthenticateMessage::decode(black_box(&authenticate))));
        }),
    ];
    for (what, decode) in decode {
        let times: Vec<Duration> = (0..rounds).map(|_| timed(|| repeat(TIMES, decode))).collect();
        println!("| {what} | {} | no such function | |", figure(&times, TIMES, None));
    }
}

fn compare(
    what: &str,
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) {
    // The first round warms the caches.
    ours();
    theirs();
    let times = (0..rounds).map(|_| (ours(), theirs())).unzip();
    print_row(what, HANDSHAKES, None, times.into());
}

fn print_row(what: &str, count: u32, size: Option<usize>, [ours, theirs]: [Vec<Duration>; 2]) {
    let ratio = ratio(&ours, &theirs);
    let (ours, theirs) = (figure(&ours, count, size), figure(&theirs, count, size));
    println!("| {what} | {ours} | {theirs} | {ratio:.2} |");
}
