//! How long SMB packets take each contestant, in one process and in turn within each round; after all
//! have shown that they do the same.

use ntlm_bench_packets::clock::{figure, ratio, rounds, timed};
use ntlm_bench_packets::{Ours, Packets, Smb, Smb2, check_that_all_agree, request, response};
use ntlm_smb::{Cipher, SigningAlgorithm};
use std::time::Duration;

/// How often everything is measured, unless `--rounds` says otherwise.
const ROUNDS: usize = 51;

/// Bytes that one measurement goes through: many short packets, or a long one.
const BYTES: usize = 1 << 20;

/// The most packets in one measurement.
const PACKETS: usize = 1024;

const SIZES: [(usize, &str); 4] =
    [(64, "64 B"), (4 << 10, "4 KiB"), (64 << 10, "64 KiB"), (1 << 20, "1 MiB")];

fn main() {
    let rounds = rounds(ROUNDS);
    check_that_all_agree();
    println!("SMB packets, {rounds} rounds. A ratio above 1: {} is faster.\n", Ours::NAME);
    let names = [Ours::NAME, Smb2::NAME, Smb::NAME];
    println!(
        "| | {} | ratio to smb2 | ratio to smb |\n|---|---|---|---|---|---|",
        names.join(" | ")
    );
    for algorithm in SigningAlgorithm::ALL {
        for (size, name) in SIZES {
            let mut contestants = [
                signatures::<Ours>(algorithm, size),
                signatures::<Smb2>(algorithm, size),
                signatures::<Smb>(algorithm, size),
            ];
            let what = ["sign", "verify"].map(|what| format!("{what} {algorithm} {name}"));
            measure(rounds, size, &what, &mut contestants);
        }
    }
    for cipher in Cipher::ALL {
        for (size, name) in SIZES {
            let mut contestants = [
                encryption::<Ours>(cipher, size),
                encryption::<Smb2>(cipher, size),
                encryption::<Smb>(cipher, size),
            ];
            let what = ["encrypt", "decrypt"].map(|what| format!("{what} {cipher} {name}"));
            measure(rounds, size, &what, &mut contestants);
        }
    }
    println!("{}", NOTES.trim_end());
}

/// Where a row is not the same work for all.
const NOTES: &str = "
ntlm-smb: Signer and PacketCipher, which keep the key schedule; header read and written; in place.
smb2: crypto::signing and crypto::encryption, which begin with the key each time, as its client
    does. sign in place; verify, encrypt and decrypt copy the message.
smb: session::MessageSigner, cloned for each message as its client does; the header has been read
    before. crypto::EncryptingAlgo, in place, without reading or writing the transform header:
    MessageEncryptor above it asks the system for a random nonce, MessageDecryptor parses the
    message as well.
";

/// One contestant's part of a round: both halves of the work.
type Round = Box<dyn FnMut() -> [Duration; 2]>;

fn count(size: usize) -> usize {
    (BYTES / size).clamp(1, PACKETS)
}

fn signatures<P: Packets + 'static>(algorithm: SigningAlgorithm, size: usize) -> Round
where
    P::Signer: 'static,
    P::Message: 'static,
{
    let numbers = 0..u64::try_from(count(size)).expect("few");
    let mut signer = P::signer(algorithm);
    let mut requests: Vec<_> =
        numbers.clone().map(|number| P::message(request(size, number))).collect();
    let mut responses: Vec<_> =
        numbers.map(|number| P::message(response(algorithm, size, number))).collect();
    Box::new(move || {
        [
            timed(|| requests.iter_mut().for_each(|message| P::sign(&mut signer, message))),
            timed(|| responses.iter_mut().for_each(|message| P::verify(&mut signer, message))),
        ]
    })
}

fn encryption<P: Packets + 'static>(cipher: Cipher, size: usize) -> Round
where
    P::Cipher: 'static,
    P::Packet: 'static,
{
    let mut cipher = P::cipher(cipher);
    let numbers = 0..u64::try_from(count(size)).expect("few");
    let mut packets: Vec<_> = numbers.map(|number| P::packet(&request(size, number))).collect();
    Box::new(move || {
        let encrypt = timed(|| {
            for (number, packet) in (0..).zip(&mut packets) {
                P::encrypt(&mut cipher, number, packet);
            }
        });
        let decrypt =
            timed(|| packets.iter_mut().for_each(|packet| P::decrypt(&mut cipher, packet)));
        [encrypt, decrypt]
    })
}

fn measure(rounds: usize, size: usize, what: &[String; 2], contestants: &mut [Round; 3]) {
    let mut times: [[Vec<Duration>; 3]; 2] = Default::default();
    for round in 0..=rounds {
        for (place, contestant) in contestants.iter_mut().enumerate() {
            let both = contestant();
            // The first round warms the caches.
            if round > 0 {
                times[0][place].push(both[0]);
                times[1][place].push(both[1]);
            }
        }
    }
    let count = u32::try_from(count(size)).expect("few");
    for (what, [ours, smb2, smb]) in what.iter().zip(times) {
        let figures = [&ours, &smb2, &smb].map(|times| figure(times, count, Some(size)));
        let (to_smb2, to_smb) = (ratio(&ours, &smb2), ratio(&ours, &smb));
        println!("| {what} | {} | {to_smb2:.2} | {to_smb:.2} |", figures.join(" | "));
    }
}
