// The page about differences says what the test holds.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { differencesPage } from './document.ts'

test('docs/differences-from-linux.md lists the known differences', async () => {
  await expect(differencesPage()).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/differences-from-linux.md'))
})
