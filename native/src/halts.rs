//! What the reference engine calls the reasons for which an execution stops.

use revm::context::result::HaltReason;

/// The name the reference engine has for a halt.
pub fn halt_name(reason: &HaltReason) -> &'static str {
    match reason {
        HaltReason::OutOfGas(_) | HaltReason::CreateContractSizeLimit => "OutOfGas",
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode | HaltReason::NotActivated => {
            "InvalidInstruction"
        }
        HaltReason::InvalidJump => "InvalidJumpDestination",
        HaltReason::StackUnderflow => "InsufficientStack",
        HaltReason::StackOverflow => "FullStack",
        HaltReason::OutOfOffset => "OutOfBoundsRead",
        HaltReason::CreateCollision => "ContractCreationCollision",
        HaltReason::CreateContractStartingWithEF => "ReservedBytesInCode",
        HaltReason::CreateInitCodeSizeLimit => "OutOfGas",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "WriteProtection",
        HaltReason::OutOfFunds | HaltReason::OverflowPayment => "InsufficientFunds",
        HaltReason::CallTooDeep => "StackDepthLimit",
        HaltReason::PrecompileError | HaltReason::PrecompileErrorWithContext(_) => "VMError",
        HaltReason::NonceOverflow => "VMError",
    }
}
