//! The credentials that the systems take. They open nothing but these simulators.

/// Client of the civil status system (OAuth2 client credentials).
pub const CIVIL_STATUS_CLIENT: &str = "truc-demo";
/// Its secret.
pub const CIVIL_STATUS_SECRET: &str = "simulated-civil-status-secret";

/// Bearer token of the land system.
pub const LAND_TOKEN: &str = "simulated-land-token";

/// User of the insurance system (HTTP Basic).
pub const INSURANCE_USER: &str = "truc-demo";
/// Its password.
pub const INSURANCE_PASSWORD: &str = "simulated-insurance-password";

/// What the postal system wants in the header `access_token`.
pub const POSTAL_TOKEN: &str = "simulated-postal-token";
/// A customer of the postal system.
pub const POSTAL_CUSTOMER: &str = "TRUC-DEMO";

/// Partner code at the payment platform.
pub const PAYMENT_PARTNER: &str = "TRUC-DEMO";
/// The secret that its authentication codes are made with.
pub const PAYMENT_SECRET: &str = "simulated-payment-secret";
