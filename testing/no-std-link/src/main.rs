//! A program without std that uses `ntlm`: if it links, the crate builds without std.
//!
//! It brings what std would have brought: a panic handler, an allocator, `main`. Should
//! anything in the tree of `ntlm` pull in std, there are two panic handlers and the
//! build fails with "duplicate lang item `panic_impl`".
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Check, Client, ClientConfig, Credential, FileTime, Fresh, Protection, Server,
    ServerConfig, ServerNames,
};

/// Hands out one static block from the start to the end, and takes nothing back.
struct Bump {
    block: UnsafeCell<[u8; BLOCK_LEN]>,
    used: AtomicUsize,
}

const BLOCK_LEN: usize = 1 << 20;

// SAFETY: `used` gives every byte of `block` to one caller only.
unsafe impl Sync for Bump {}

// SAFETY: what is returned lies inside the static block, is aligned by its address, and
// overlaps nothing that was returned before, because `used` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.block.get().cast::<u8>();
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let start = (block.addr() + used).checked_next_multiple_of(layout.align())?;
            let end = (start - block.addr()).checked_add(layout.size())?;
            (end <= BLOCK_LEN).then_some(end)
        });
        match taken {
            Ok(used) => {
                let start = (block.addr() + used).next_multiple_of(layout.align()) - block.addr();
                // SAFETY: `start` plus the size is at most the length of the block.
                unsafe { block.add(start) }
            }
            Err(_) => null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { block: UnsafeCell::new([0; BLOCK_LEN]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort takes nothing and does not return.
    unsafe { abort() }
}

/// Named by the ready-made `alloc`, which can unwind; never called, because nothing here does.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

unsafe extern "C" {
    fn abort() -> !;
}

/// Exit status 0: the crate also works.
// SAFETY: the C runtime calls the only `main` there is.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const u8) -> c_int {
    c_int::from(!works())
}

fn works() -> bool {
    [Protection::Sign, Protection::Seal].into_iter().all(|it| logs_on(it).is_some())
}

/// A logon with both ends in memory, then a message each way. `None` where anything goes wrong.
fn logs_on(protection: Protection) -> Option<()> {
    let config = ClientConfig { protection, ..ClientConfig::default() };
    let (negotiate, client) = Client::start(config);
    let (nb_computer, nb_domain) = ("SERVER".into(), "EXAMPLE".into());
    let names = ServerNames { nb_computer, nb_domain, ..ServerNames::default() };
    let server = Server::new(ServerConfig::new(names)).ok()?;
    let (challenge, server) = server.challenge(&negotiate, fresh(1)).ok()?;
    let name = AccountName::parse(r"EXAMPLE\alice");
    let credential = Credential { name, secret: secret("Wonder-Land1") };
    let (authenticate, client) = client.respond(&challenge, &credential, fresh(2)).ok()?;
    let logon = server.receive(&authenticate, fresh(3).now).ok()?;
    let account = logon.verify(Some(&secret("Wonder-Land1"))).ok()?.into_account()?;
    (account.mic() == Check::Valid).then_some(())?;

    let (mut client, mut server) = (client.into_session(), account.into_session());
    let (plain, mut message) =
        (Vec::from(*b"for your eyes only"), Vec::from(*b"for your eyes only"));
    if protection == Protection::Seal {
        let signature = client.seal(&mut message).ok()?;
        (message != plain).then_some(())?;
        server.unseal(&mut message, &signature).ok()?;
        (message == plain).then_some(())?;
    }
    let mut signature = server.sign(&message).ok()?;
    client.verify(&message, &signature).ok()?;
    // What is altered must not pass.
    *signature.get_mut(4)? ^= 1;
    client.verify(&message, &signature).is_err().then_some(())
}

fn secret(password: &str) -> AccountSecret {
    AccountSecret::from_password(&Password::from(password), CodePage::Cp437)
}

fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24])
}
