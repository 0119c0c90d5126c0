//! NTLM.
#![no_std]
extern crate alloc;

pub mod certificate;
pub mod der;
pub mod flags;
pub mod text;
