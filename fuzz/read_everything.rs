//! What the targets for weights do with a file.

use awaaz::weights::Checkpoint;

/// Opens a file and reads every tensor. Any outcome is fine but a panic or an allocation that the
/// size of the file does not warrant (`-malloc_limit_mb` finds that).
pub fn read_everything(bytes: Vec<u8>) {
    let Ok(checkpoint) = Checkpoint::from_bytes("fuzz", bytes) else { return };
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).expect("a name that was listed");
        if let Ok(weight) = checkpoint.tensor(name, &shape) {
            let elements: usize = weight.shape.iter().product();
            assert_eq!(weight.into_f32().len(), elements);
        }
    }
}
