// Before each file of interop tests: what earlier ones left behind in the kernel is ended.

import { endOrphans } from './kernel.ts'

endOrphans()
