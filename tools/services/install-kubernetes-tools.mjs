#!/usr/bin/env node
// Downloads the programs that render the manifests of deploy/.
import { kubernetesTools } from './kubernetes-tools.ts';

console.log(Object.values(kubernetesTools()).join('\n'));
