//! The programs that these tests run, and how they are led.

pub(crate) mod browser;
pub(crate) mod chatter;
pub(crate) mod isolated;
pub(crate) mod programs;
pub(crate) mod proxy;
mod proxy_defaults;
#[cfg(feature = "secure")]
pub(crate) mod proxy_tls;
pub(crate) mod site;
