// npm run explore: searches the small worlds and says what it found.
//     npm run explore -- [--faults K] [--world NAME] [--config NAME] [--minutes M] [--replay STRING]
// Owns: the process. Does not own: the command (command.ts).

import { exploreCommand } from './command.ts'

process.exitCode = exploreCommand(process.argv.slice(2), (text) => console.log(text))
