//! NTLM.
#![no_std]
extern crate alloc;

pub mod flags;
pub mod text;
