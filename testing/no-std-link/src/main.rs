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

use ntlm as _;

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

/// Exit status 0: the crate also ran.
// SAFETY: the C runtime calls the only `main` there is.
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const u8) -> c_int {
    c_int::from(!works())
}

fn works() -> bool {
    let allocated: Vec<u8> = (0..64).collect();
    allocated.len() == 64
}
