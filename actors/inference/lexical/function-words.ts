/**
 * Function words of languages other than English.
 *
 * English ones are at the head of the counted list. Without these, the model would take "und" or
 * "dans" for rare and therefore telling words. Written by hand, from general knowledge.
 */

const BY_LANGUAGE: Readonly<Record<string, string>> = {
  german: 'der die das den dem des ein eine einen einem einer eines und oder aber nicht ist sind war wird werden wurde kann können sich mit von vom zu zum zur im in an am auf aus bei für über unter nach vor durch als auch wie wenn dass daß es er sie wir ihr man nur noch so um bis diese dieser dieses diesem diesen hat haben sein ihre',
  french: 'le la les un une des du de et ou mais ne pas est sont être été était a ont avoir ce cette ces cet se sa son ses leur leurs il elle ils elles nous vous on je que qui dont où dans sur sous par pour avec sans au aux en plus si comme tout tous toute toutes peut aussi entre même très lorsque si',
  spanish: 'el la los las un una unos unas y o pero no es son ser era fue ha han haber se su sus lo le les que quien cual donde en de del al con sin por para sobre entre como más si este esta estos estas ese esa eso todo todos puede cuando también muy hay',
  portuguese: 'o os as um uma uns umas e ou mas não é são ser foi era tem têm se seu sua seus suas que quem onde em no na nos nas do da dos das ao à com sem por para pelo pela sobre entre como mais este esta esse essa isso todo todos pode quando também muito há',
  italian: 'il lo la i gli le un uno una e o ma non è sono essere era stato ha hanno si suo sua suoi sue che chi cui dove in nel nella nei nelle di del della dei delle al alla ai alle con senza per su tra fra come più se questo questa questi queste tutto tutti può quando anche molto da dal dalla',
  dutch: 'de het een en of maar niet is zijn was wordt worden werd kan kunnen zich met van te op in aan uit bij voor over onder naar door als ook dat die deze dit er hij zij we men nog dan om tot heeft hebben moet wel geen',
  swedish: 'och eller men inte är var att som en ett den det de av på för med till från om kan ska har hade sig sin vid under över efter när också alla detta denna dessa',
  polish: 'i w na z do nie się jest są to że o od po za przez przy dla jak lub oraz ale czy być może tym tego które który która jego jej ich tylko także jeśli gdy pod nad bez',
  turkish: 've bir bu da de için ile olarak olan veya değil ne kadar daha gibi çok en her o ancak ise sonra önce',
  russian: 'и в во не на с со что как по из за от до для к ко о об это этот эта эти или но если то так же бы был была было были быть есть при его её их он она они мы вы я который которые которая также может только все всех уже через без под над у',
  ukrainian: 'і й та в у не на з що як по із за від до для к про це цей ця ці або але якщо то так же був була було були бути є при його її їх він вона вони ми ви який які також може тільки всі',
  greek: 'και το ο η οι τα του της των τον την με σε από για να θα δεν είναι που στο στη στην στον ένα μια ως αν ή',
};

/** In NFC and lower case, without duplicates. */
export const FUNCTION_WORDS: ReadonlySet<string> = new Set(Object.values(BY_LANGUAGE).flatMap((words) => words.split(' ')));
