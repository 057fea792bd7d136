//! From a network's file to a session on the providers that were asked for.

use std::path::Path;

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};

use super::library::Library;
use super::placement::{Placement, RECORD};
use super::provider::{self, Provider, ProviderChoice};
use super::{OnnxOptions, one_line};
use crate::{Error, Result};

/// A session, and where its network ended up.
pub(super) struct Started {
    pub session: Session,
    pub placement: Placement,
    /// The name of the provider that computes the network, or most of its heavy part.
    pub provider: &'static str,
    /// Why it is the CPU, where `auto` had the choice.
    pub fallback: Option<String>,
}

/// What a session is made from.
pub(super) struct Maker<'a> {
    pub library: &'a Library,
    pub network: &'a Path,
    pub options: &'a OnnxOptions,
}

impl Maker<'_> {
    pub fn start(&self) -> Result<Started> {
        let environment = self.library.environment()?;
        match &self.options.providers {
            ProviderChoice::Named(providers) => self.start_on(environment, providers),
            ProviderChoice::Auto => self.start_on_any(environment),
        }
    }

    /// On the first provider that can be had.
    fn start_on_any(&self, environment: &Environment) -> Result<Started> {
        let (built_in, missing): (Vec<_>, Vec<_>) =
            Provider::AUTO.into_iter().partition(|provider| provider.is_built_in());
        let mut reasons = Vec::new();
        for provider in built_in {
            match self.start_on(environment, &[provider]) {
                Ok(started) => return Ok(started),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        if !missing.is_empty() {
            let missing = provider::list(&missing, ", ");
            reasons.push(format!("this ONNX Runtime was built without {missing}"));
        }
        let started = self.start_on(environment, &[Provider::Cpu])?;
        Ok(Started { fallback: Some(reasons.join("; ")), ..started })
    }

    /// On these providers and no others but the CPU.
    fn start_on(&self, environment: &Environment, providers: &[Provider]) -> Result<Started> {
        let mut builder = self.builder(environment, providers).map_err(|e| self.fault(&e))?;
        for &provider in providers {
            if !provider.is_built_in() {
                let built_in: Vec<_> = Provider::ALL.into_iter().filter(|p| p.is_built_in()).collect();
                return Err(Error::Setting(format!(
                    "provider {provider}: the ONNX Runtime {} was built without it; it has {}",
                    self.library.path.display(),
                    provider::list(&built_in, ", ")
                )));
            }
            let refused = |e: ort::Error| Error::Setting(format!("provider {provider}: {}", one_line(&e)));
            provider.register(&mut builder).map_err(refused)?;
        }
        let session = builder.commit_from_file(self.network);
        let session = session.map_err(|e| self.blame(environment, providers, &e))?;
        let placement = Placement::of(&session).map_err(|e| self.fault(&e))?;
        let provider = used(providers, &placement)?;
        Ok(Started { session, placement, provider, fallback: None })
    }

    fn builder(&self, environment: &Environment, providers: &[Provider]) -> ort::Result<SessionBuilder> {
        let mut builder = Session::builder(environment)?
            // Else it would take devices that nobody asked for.
            .with_auto_device(AutoDevicePolicy::PreferCPU)?
            .with_config_entry(RECORD, "1")?
            .with_intra_threads(self.options.thread_count())?
            .with_inter_threads(1)?
            // A live stream waits most of the time; threads that spin meanwhile take the cores from its other parts.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        if providers.contains(&Provider::DirectMl) {
            // It refuses sessions that plan memory by the first run.
            builder = builder.with_memory_pattern(false)?;
        }
        Ok(builder)
    }

    /// The error of a session that could not be made: the network's fault where the CPU cannot take it either.
    fn blame(&self, environment: &Environment, providers: &[Provider], error: &ort::Error) -> Error {
        if providers.iter().all(|provider| *provider == Provider::Cpu) {
            return self.fault(error);
        }
        match self.start_on(environment, &[Provider::Cpu]) {
            Err(fault) => fault,
            Ok(_) => {
                let providers = provider::list(providers, ",");
                Error::Setting(format!("provider {providers}: {}", one_line(error)))
            }
        }
    }

    fn fault(&self, error: &ort::Error) -> Error {
        Error::model(self.network.display().to_string(), one_line(error))
    }
}

/// The provider that computes the network; an error if that is none that was asked for.
fn used(asked: &[Provider], placement: &Placement) -> Result<&'static str> {
    let foreign = |name: &&String| asked.iter().chain([&Provider::Cpu]).all(|known| known.name() != *name);
    if let Some(foreign) = placement.nodes.keys().find(foreign) {
        return Err(Error::Setting(format!(
            "provider {}: ONNX Runtime gave parts of the network to {foreign}, which nobody asked for",
            provider::list(asked, ",")
        )));
    }
    let mut others = asked.iter().filter(|provider| **provider != Provider::Cpu);
    if let Some(used) = others.find(|provider| placement.has(**provider)) {
        return Ok(used.name());
    }
    if asked.iter().any(|provider| *provider != Provider::Cpu) && !asked.contains(&Provider::Cpu) {
        return Err(Error::Setting(format!(
            "provider {}: it can compute no part of this network ({placement}); name cpu for the CPU",
            provider::list(asked, ",")
        )));
    }
    Ok(Provider::Cpu.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_the_one_that_has_the_network() {
        use Provider::{Cpu, Cuda, TensorRt};
        struct Case {
            asked: &'static [Provider],
            nodes: &'static [(&'static str, usize)],
            expected: Result<&'static str, &'static str>,
        }
        let cases = [
            Case { asked: &[Cpu], nodes: &[("cpu", 9)], expected: Ok("cpu") },
            Case { asked: &[Cpu], nodes: &[], expected: Ok("cpu") },
            Case { asked: &[Cuda], nodes: &[("cpu", 2), ("cuda", 7)], expected: Ok("cuda") },
            Case {
                asked: &[Cuda],
                nodes: &[("cpu", 9)],
                expected: Err("no part of this network (cpu: 9 nodes)"),
            },
            Case { asked: &[Cuda, Cpu], nodes: &[("cpu", 9)], expected: Ok("cpu") },
            Case { asked: &[TensorRt, Cuda], nodes: &[("cuda", 9)], expected: Ok("cuda") },
            Case {
                asked: &[Cpu],
                nodes: &[("coreml", 1), ("cpu", 8)],
                expected: Err("to coreml, which nobody"),
            },
            Case {
                asked: &[Cuda],
                nodes: &[("NpuExecutionProvider", 1)],
                expected: Err("NpuExecutionProvider"),
            },
        ];
        for case in cases {
            let nodes = case.nodes.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
            let found = used(case.asked, &Placement { nodes }).map_err(|e| e.to_string());
            match case.expected {
                Ok(expected) => assert_eq!(found.as_deref(), Ok(expected)),
                Err(part) => assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{found:?}"),
            }
        }
    }
}
