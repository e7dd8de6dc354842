"""Operations of TensorFlow that tf.keras put between layers."""
