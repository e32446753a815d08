//! Models that differ from another one in a few methods.

/// `delegate!(inner: loss, parameters)` inside of `impl Model`: these methods are those of
/// `self.inner`.
macro_rules! delegate {
    ($inner:tt: $($method:ident),+) => {
        $(crate::delegate::delegate!(@ $inner $method);)+
    };
    (@ $inner:tt layer_sizes) => {
        fn layer_sizes(&self) -> &[usize] {
            self.$inner.layer_sizes()
        }
    };
    (@ $inner:tt device) => {
        fn device(&self) -> String {
            self.$inner.device()
        }
    };
    (@ $inner:tt config) => {
        fn config(&self) -> Option<&wgpu_linear::model::MlpConfig> {
            self.$inner.config()
        }
    };
    (@ $inner:tt train_batch) => {
        fn train_batch(
            &mut self,
            x: ndarray::ArrayView2<'_, f32>,
            targets: wgpu_linear::model::Targets<'_>,
        ) -> Result<(), wgpu_linear::model::ModelError> {
            self.$inner.train_batch(x, targets)
        }
    };
    (@ $inner:tt take_loss) => {
        fn take_loss(
            &mut self,
        ) -> Result<wgpu_linear::model::MeanLoss, wgpu_linear::model::ModelError> {
            self.$inner.take_loss()
        }
    };
    (@ $inner:tt predict) => {
        fn predict(
            &mut self,
            x: ndarray::ArrayView2<'_, f32>,
        ) -> Result<ndarray::Array2<f32>, wgpu_linear::model::ModelError> {
            self.$inner.predict(x)
        }
    };
    (@ $inner:tt loss) => {
        fn loss(&self) -> wgpu_linear::model::Loss {
            self.$inner.loss()
        }
    };
    (@ $inner:tt learning_rate) => {
        fn learning_rate(&self) -> f32 {
            self.$inner.learning_rate()
        }
    };
    (@ $inner:tt set_learning_rate) => {
        fn set_learning_rate(
            &mut self,
            learning_rate: f32,
        ) -> Result<(), wgpu_linear::model::ModelError> {
            self.$inner.set_learning_rate(learning_rate)
        }
    };
    (@ $inner:tt parameters) => {
        fn parameters(
            &self,
        ) -> Result<Vec<wgpu_linear::model::LayerParameters>, wgpu_linear::model::ModelError> {
            self.$inner.parameters()
        }
    };
    (@ $inner:tt set_parameters) => {
        fn set_parameters(
            &mut self,
            parameters: &[wgpu_linear::model::LayerParameters],
        ) -> Result<(), wgpu_linear::model::ModelError> {
            self.$inner.set_parameters(parameters)
        }
    };
    (@ $inner:tt training_state) => {
        fn training_state(
            &self,
        ) -> Result<wgpu_linear::model::TrainingState, wgpu_linear::model::ModelError> {
            self.$inner.training_state()
        }
    };
    (@ $inner:tt set_training_state) => {
        fn set_training_state(
            &mut self,
            state: &wgpu_linear::model::TrainingState,
        ) -> Result<(), wgpu_linear::model::ModelError> {
            self.$inner.set_training_state(state)
        }
    };
    (@ $inner:tt histograms) => {
        fn histograms(
            &mut self,
        ) -> Result<Vec<wgpu_linear::model::LayerHistograms>, wgpu_linear::model::ModelError> {
            self.$inner.histograms()
        }
    };
}
pub(crate) use delegate;
