import { established, scenario } from './script.ts'

scenario('x', () => {
  for (const passive of [false, true]) {
    const c = established({ passive })
    c.write(4 * 1460)
    c.outText(1, 5841)
    c.times(3, '. ack 1')
    c.out('. 1:1461 ack 1')
  }
})
