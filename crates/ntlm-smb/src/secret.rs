//! Secrets: each its own type, wiped when dropped, silent in `Debug`, neither copied nor compared by accident.

/// Defines a key of 16 bytes: wiped on drop, `Debug` prints its name only, and there is no `Copy`,
/// `Clone`, `PartialEq` or `Display`.
macro_rules! secret_key {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        pub struct $name([u8; 16]);

        impl $name {
            /// Length in bytes.
            pub const LENGTH: usize = 16;

            /// Takes the bytes of the key.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The bytes of the key, for whoever must spend it.
            #[must_use]
            pub const fn expose(&self) -> &[u8; 16] {
                &self.0
            }

            /// A second copy, which has to be asked for.
            #[must_use]
            pub const fn duplicate(&self) -> Self {
                Self(self.0)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                zeroize::Zeroize::zeroize(&mut self.0);
            }
        }

        impl zeroize::ZeroizeOnDrop for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

pub(crate) use secret_key;
