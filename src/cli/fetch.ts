import { Command } from 'commander'
export function fetchCommand(): Command { return new Command('fetch') }
