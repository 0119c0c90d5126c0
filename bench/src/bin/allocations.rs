//! How often each contestant asks for memory; apart from the clock, because counting takes time.

use ntlm::message::{AuthenticateMessage, ChallengeMessage, Message, NegotiateMessage};
use ntlm_bench::{Contestant, Ours, Sspi, Waiting};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    println!("| allocations (their bytes) | {} | {} |", Ours::NAME, Sspi::NAME);
    println!("|---|---|---|");
    for (ours, theirs) in counts::<Ours>().into_iter().zip(counts::<Sspi>()) {
        let Row { what, count: (count, bytes) } = ours;
        println!("| {what} | {count} ({bytes}) | {} ({}) |", theirs.count.0, theirs.count.1);
    }
    let Waiting { negotiate, challenge, authenticate, .. } = Waiting::<Ours>::new();
    let ((count, bytes), _) = counted(|| {
        let negotiate = NegotiateMessage::decode(&negotiate).is_ok();
        let challenge = ChallengeMessage::decode(&challenge).is_ok();
        let authenticate = AuthenticateMessage::decode(&authenticate).is_ok();
        assert!(negotiate && challenge && authenticate);
    });
    println!("| decode all three messages | {count} ({bytes}) | no such function |");
}

struct Row {
    what: &'static str,
    count: (usize, usize),
}

fn counts<C: Contestant>() -> Vec<Row> {
    // Makes what is made only once.
    C::handshake_and_messages();
    let row = |what, count| Row { what, count };

    let Waiting { negotiate, challenge, challenged, authenticate } = Waiting::<C>::new();
    let (count_challenge, _) = counted(|| C::challenge(&negotiate));
    let (count_accept, _) = counted(|| C::accept(challenged, &authenticate));
    let (count_client, _) = counted(|| C::client(|_| challenge));
    let count_server = (count_challenge.0 + count_accept.0, count_challenge.1 + count_accept.1);
    let (count_both, _) = counted(C::handshake);

    let (mut sender, mut receiver) = C::handshake();
    let mut message = vec![0; 16 * 1024];
    // The first message derives the keys.
    let mut signature = C::seal(&mut sender, &mut message);
    C::unseal(&mut receiver, &mut message, &mut signature);
    let (count_seal, mut signature) = counted(|| C::seal(&mut sender, &mut message));
    let (count_unseal, ()) = counted(|| C::unseal(&mut receiver, &mut message, &mut signature));

    let (mut sender, mut receiver) = C::handshake();
    let mut signature = C::sign(&mut sender, 0, &mut message);
    C::verify(&mut receiver, 0, &mut message, &mut signature);
    let (count_sign, mut signature) = counted(|| C::sign(&mut sender, 1, &mut message));
    let (count_verify, ()) = counted(|| C::verify(&mut receiver, 1, &mut message, &mut signature));

    vec![
        row("full handshake", count_both),
        row("client only", count_client),
        row("server only", count_server),
        row("sign 16 KiB", count_sign),
        row("verify 16 KiB", count_verify),
        row("seal 16 KiB", count_seal),
        row("unseal 16 KiB", count_unseal),
    ]
}

/// How often memory was asked for, and how many bytes.
fn counted<T>(run: impl FnOnce() -> T) -> ((usize, usize), T) {
    let before = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    let result = run();
    let after = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    ((after.0 - before.0, after.1 - before.1), result)
}
