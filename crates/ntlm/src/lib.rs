//! NTLM.
#![no_std]
extern crate alloc;

pub mod der;
pub mod flags;
pub mod text;
